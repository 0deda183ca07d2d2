CREATE TABLE api_keys (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,
    scopes       {json} NOT NULL,
    created_at   {ts} NOT NULL,
    expires_at   {ts},
    revoked_at   {ts},
    last_used_at {ts}
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at);
