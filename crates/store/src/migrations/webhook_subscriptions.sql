CREATE TABLE webhook_subscriptions (
    tenant_id TEXT NOT NULL,
    ecosystem TEXT NOT NULL,
    address   TEXT NOT NULL,
    ends_at   {ts} NOT NULL,
    PRIMARY KEY (tenant_id, ecosystem)
);
