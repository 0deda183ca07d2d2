CREATE TABLE runs (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    kind         TEXT NOT NULL,
    unique_key   TEXT,
    input        {json} NOT NULL,
    state        TEXT NOT NULL,
    attempts     INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    due_at       {ts} NOT NULL,
    lease_token  {uuid},
    lease_until  {ts},
    heartbeat_at {ts},
    output       {json},
    error        TEXT,
    created_at   {ts} NOT NULL,
    started_at   {ts},
    finished_at  {ts},
    parent_id    {uuid},
    version      INTEGER NOT NULL,
    UNIQUE (tenant_id, unique_key)
);
CREATE INDEX runs_due ON runs (due_at) WHERE state IN ('queued', 'parked', 'running');
CREATE INDEX runs_newest ON runs (tenant_id, created_at DESC, id DESC);
CREATE INDEX runs_finished ON runs (tenant_id, finished_at) WHERE finished_at IS NOT NULL;
