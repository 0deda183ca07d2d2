CREATE TABLE workflow_runs (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    workflow_id  {uuid} NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    run_id       {uuid},
    trigger_kind TEXT NOT NULL,
    state        TEXT NOT NULL,
    started_at   {ts} NOT NULL,
    finished_at  {ts},
    input        {json} NOT NULL,
    output       {json},
    error        TEXT
);
CREATE INDEX workflow_runs_newest ON workflow_runs (tenant_id, workflow_id, started_at DESC);
