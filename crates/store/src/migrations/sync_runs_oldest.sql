-- Old syncs of all tenants are let go together.
CREATE INDEX sync_runs_oldest ON sync_runs (started_at);
