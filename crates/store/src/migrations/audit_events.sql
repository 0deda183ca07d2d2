CREATE TABLE audit_events (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    timestamp    {ts} NOT NULL,
    event        TEXT NOT NULL,
    execution_id {uuid},
    actor        {json} NOT NULL,
    detail       {json} NOT NULL,
    writer       {uuid} NOT NULL,
    seq          BIGINT NOT NULL,
    hash         {bytes} NOT NULL
);
CREATE INDEX audit_events_newest ON audit_events (tenant_id, timestamp DESC, id DESC);
CREATE INDEX audit_events_intents ON audit_events (tenant_id, timestamp DESC) WHERE event = 'intent';
CREATE INDEX audit_events_execution ON audit_events (execution_id) WHERE execution_id IS NOT NULL;
CREATE UNIQUE INDEX audit_events_chain ON audit_events (writer, seq);
