CREATE TABLE api_cache (
    tenant_id  TEXT NOT NULL,
    ecosystem  TEXT NOT NULL,
    key        TEXT NOT NULL,
    data       {json} NOT NULL,
    created_at {ts} NOT NULL,
    expires_at {ts} NOT NULL,
    PRIMARY KEY (tenant_id, ecosystem, key)
);
