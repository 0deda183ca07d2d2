-- The key that seals a tenant's secrets, itself sealed by the master key, which is in no database.
CREATE TABLE tenant_keys (
    tenant_id  TEXT NOT NULL,
    key_id     TEXT NOT NULL,
    wrapped    {bytes} NOT NULL,
    created_at {ts} NOT NULL,
    PRIMARY KEY (tenant_id, key_id)
);
-- How an account of a vendor is opened. `sealed` holds the secrets; `config` holds none.
CREATE TABLE credentials (
    id           {uuid} PRIMARY KEY,
    tenant_id    TEXT NOT NULL,
    ecosystem    TEXT NOT NULL,
    name         TEXT NOT NULL,
    auth         TEXT NOT NULL,
    account_id   TEXT,
    account_name TEXT,
    config       {json} NOT NULL,
    key_id       TEXT NOT NULL,
    sealed       {bytes} NOT NULL,
    scopes       TEXT,
    state        TEXT NOT NULL,
    reason       TEXT,
    checked_at   {ts},
    created_at   {ts} NOT NULL,
    updated_at   {ts} NOT NULL,
    UNIQUE (tenant_id, ecosystem, name)
);
