-- How people are asked: how many, whether the requester counts. NULL is one of anybody.
ALTER TABLE approvals ADD COLUMN asks {json};
-- Who has said yes where more than one has to.
CREATE TABLE approval_votes (
    tenant_id   TEXT NOT NULL,
    approval_id {uuid} NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
    voter_id    TEXT NOT NULL,
    voter       {json} NOT NULL,
    note        TEXT,
    voted_at    {ts} NOT NULL,
    PRIMARY KEY (approval_id, voter_id)
);
