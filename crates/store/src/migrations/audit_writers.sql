-- Where each writer's chain ends. It moves in the commit of the records themselves, so that a cut tail is found.
CREATE TABLE audit_writers (
    writer     {uuid} PRIMARY KEY,
    started_at {ts} NOT NULL,
    last_seq   BIGINT NOT NULL,
    head_hash  {bytes} NOT NULL,
    closed_at  {ts}
);
