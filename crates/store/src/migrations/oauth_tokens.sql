-- Sealed values only: the cipher text carries its nonce; the key is named, never stored.
CREATE TABLE oauth_tokens (
    id            {uuid} PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    ecosystem     TEXT NOT NULL,
    account       TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    access_token  {bytes},
    refresh_token {bytes},
    scope         TEXT,
    expires_at    {ts},
    created_at    {ts} NOT NULL,
    updated_at    {ts} NOT NULL,
    UNIQUE (tenant_id, ecosystem, account)
);
