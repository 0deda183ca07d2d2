CREATE TABLE run_signals (
    run_id      {uuid} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    payload     {json} NOT NULL,
    received_at {ts} NOT NULL,
    PRIMARY KEY (run_id, name)
);
CREATE INDEX run_signals_tenant ON run_signals (tenant_id, run_id);
