CREATE TABLE people (
    id            {uuid} PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    -- In lower case: it is what a person signs in with.
    email         TEXT NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    -- NULL until the person has set one with a link.
    password_hash TEXT,
    -- The second factor, sealed by the vault; `totp_since` is NULL until it was proven once.
    totp_key_id   TEXT,
    totp_sealed   {bytes},
    totp_since    {ts},
    -- The last step that was taken, so that no code is good twice.
    totp_step     BIGINT,
    disabled_at   {ts},
    -- Wrong passwords in a row, and until when nobody may try.
    failures      BIGINT NOT NULL,
    locked_until  {ts},
    created_at    {ts} NOT NULL,
    last_login_at {ts},
    UNIQUE (tenant_id, email)
);
-- Who is signed in. The cookie's value is kept as a hash only.
CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    person_id  {uuid} NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    client     TEXT,
    created_at {ts} NOT NULL,
    seen_at    {ts} NOT NULL,
    expires_at {ts} NOT NULL
);
CREATE INDEX sessions_person ON sessions (tenant_id, person_id);
-- Links that set a password, once: for the first owner, for an invited person, for one who forgot it.
CREATE TABLE password_links (
    token_hash TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    -- NULL: whoever opens it becomes the first owner.
    person_id  {uuid} REFERENCES people (id) ON DELETE CASCADE,
    expires_at {ts} NOT NULL
);
