-- Who has read texts that anybody may have written, and when last: what an agent read may have been meant to mislead it.
CREATE TABLE exposures (
    tenant_id    TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    tool_name    TEXT NOT NULL,
    execution_id {uuid} NOT NULL,
    read_at      {ts} NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);
