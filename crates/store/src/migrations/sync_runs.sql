CREATE TABLE sync_runs (
    id          {uuid} PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    ecosystem   TEXT NOT NULL,
    stream      TEXT NOT NULL,
    mode        TEXT NOT NULL,
    started_at  {ts} NOT NULL,
    finished_at {ts},
    state       TEXT NOT NULL,
    fetched     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    unchanged   BIGINT NOT NULL,
    deleted     BIGINT NOT NULL,
    errors      BIGINT NOT NULL,
    message     TEXT,
    cursor      {json},
    since       {ts},
    duration_ms BIGINT
);
CREATE INDEX sync_runs_newest ON sync_runs (tenant_id, ecosystem, stream, started_at DESC);
