CREATE TABLE api_calls (
    id                  {uuid} PRIMARY KEY,
    tenant_id           TEXT NOT NULL,
    execution_id        {uuid},
    timestamp           {ts} NOT NULL,
    ecosystem           TEXT NOT NULL,
    endpoint            TEXT NOT NULL,
    method              TEXT NOT NULL,
    status_code         INTEGER,
    latency_ms          BIGINT NOT NULL,
    request_size_bytes  BIGINT NOT NULL,
    response_size_bytes BIGINT NOT NULL,
    error               TEXT,
    rate_limited        BOOLEAN NOT NULL,
    attempt             INTEGER NOT NULL,
    writer              {uuid} NOT NULL,
    seq                 BIGINT NOT NULL,
    hash                {bytes} NOT NULL
);
CREATE INDEX api_calls_newest ON api_calls (tenant_id, timestamp DESC, id DESC);
CREATE INDEX api_calls_execution ON api_calls (execution_id) WHERE execution_id IS NOT NULL;
CREATE UNIQUE INDEX api_calls_chain ON api_calls (writer, seq);
