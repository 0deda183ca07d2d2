-- Up to where a writer's records have been let go, and what proves that it was us: the key that seals it is not in here.
CREATE TABLE audit_checkpoints (
    writer    {uuid} PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    hash      {bytes} NOT NULL,
    taken_at  {ts} NOT NULL,
    key_id    TEXT NOT NULL,
    seal      {bytes} NOT NULL
);
-- What is kept of calls whose records were let go.
CREATE TABLE audit_days (
    tenant_id   TEXT NOT NULL,
    day         {date} NOT NULL,
    tool_name   TEXT NOT NULL,
    status      TEXT NOT NULL,
    calls       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, day, tool_name, status)
);
