CREATE TABLE approvals (
    id                  {uuid} PRIMARY KEY,
    tenant_id           TEXT NOT NULL,
    tool_name           TEXT NOT NULL,
    tool_version        TEXT NOT NULL,
    arguments           {json} NOT NULL,
    arguments_hash      TEXT NOT NULL,
    effect              TEXT NOT NULL,
    requester           {json} NOT NULL,
    reason              TEXT,
    state               TEXT NOT NULL,
    created_at          {ts} NOT NULL,
    expires_at          {ts} NOT NULL,
    decided_at          {ts},
    decided_by          {json},
    note                TEXT,
    execution_id        {uuid},
    result_execution_id {uuid},
    result              {json}
);
CREATE INDEX approvals_newest ON approvals (tenant_id, created_at DESC, id DESC);
CREATE INDEX approvals_waiting ON approvals (tenant_id, state, expires_at);
