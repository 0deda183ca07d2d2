CREATE TABLE agent_decisions (
    id            {uuid} PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    timestamp     {ts} NOT NULL,
    agent_id      TEXT NOT NULL,
    context       {json} NOT NULL,
    decision      TEXT NOT NULL,
    rationale     TEXT,
    tools_used    {json} NOT NULL,
    outcome       TEXT,
    user_feedback TEXT
);
CREATE INDEX agent_decisions_newest ON agent_decisions (tenant_id, timestamp DESC, id DESC);
