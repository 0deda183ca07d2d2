CREATE TABLE run_steps (
    run_id      {uuid} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step        TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    output      {json},
    due_at      {ts},
    attempts    INTEGER NOT NULL,
    error       TEXT,
    state       TEXT NOT NULL,
    finished_at {ts},
    PRIMARY KEY (run_id, step)
);
CREATE INDEX run_steps_tenant ON run_steps (tenant_id, run_id);
