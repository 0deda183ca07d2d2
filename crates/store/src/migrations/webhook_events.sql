CREATE TABLE webhook_events (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    ecosystem    TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    account      TEXT,
    streams      TEXT NOT NULL,
    vendor_id    TEXT,
    deleted      BOOLEAN NOT NULL,
    occurred_at  {ts},
    received_at  {ts} NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    run_id       {uuid},
    processed_at {ts},
    UNIQUE (tenant_id, ecosystem, event_id)
);
CREATE INDEX webhook_events_open ON webhook_events (tenant_id, ecosystem) WHERE state = 'received';
CREATE INDEX webhook_events_newest ON webhook_events (tenant_id, ecosystem, received_at DESC);
CREATE INDEX webhook_events_received ON webhook_events (received_at);
