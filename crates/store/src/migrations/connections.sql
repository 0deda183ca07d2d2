CREATE TABLE connections (
    tenant_id    TEXT NOT NULL,
    ecosystem    TEXT NOT NULL,
    origin       TEXT NOT NULL,
    connected_at {ts} NOT NULL,
    PRIMARY KEY (tenant_id, ecosystem)
);
