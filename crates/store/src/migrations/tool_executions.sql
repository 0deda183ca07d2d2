CREATE TABLE tool_executions (
    id            {uuid} PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    timestamp     {ts} NOT NULL,
    tool_name     TEXT NOT NULL,
    params        {json} NOT NULL,
    response      {json},
    duration_ms   BIGINT NOT NULL,
    status        TEXT NOT NULL,
    error_message TEXT,
    source        TEXT,
    user_context  {json} NOT NULL,
    effect        TEXT NOT NULL,
    approval_id   {uuid},
    writer        {uuid} NOT NULL,
    seq           BIGINT NOT NULL,
    hash          {bytes} NOT NULL
);
CREATE INDEX tool_executions_newest ON tool_executions (tenant_id, timestamp DESC, id DESC);
CREATE UNIQUE INDEX tool_executions_chain ON tool_executions (writer, seq);
-- Readers of the database ask for the newest rows without naming a tenant.
CREATE INDEX tool_executions_timestamp ON tool_executions (timestamp);
