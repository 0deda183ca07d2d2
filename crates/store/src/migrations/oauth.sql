-- AI clients that ask to be let in (OAuth 2.1). One registers before anybody has signed in, so it belongs to no tenant.
CREATE TABLE oauth_clients (
    client_id  TEXT PRIMARY KEY,
    -- The registration as the authorization server wrote it. A secret in it is a hash.
    record     TEXT NOT NULL,
    created_at {ts} NOT NULL,
    -- When its document was fetched, for a client whose id is an address.
    fetched_at {ts},
    -- When a person first let it in; until then it is forgotten after a day.
    used_at    {ts}
);
CREATE INDEX oauth_clients_unused ON oauth_clients (created_at) WHERE used_at IS NULL;
-- What clients hold: codes, tokens, consents of people. Times are nanoseconds since 1970, because what is compared with
-- them is exact.
CREATE TABLE oauth_records (
    kind        TEXT NOT NULL,
    -- SHA-256 of the code or token; the id of a consent.
    id          TEXT NOT NULL,
    -- Empty where no person is behind it.
    tenant_id   TEXT NOT NULL,
    client_id   TEXT NOT NULL,
    subject     TEXT,
    -- Of one consent after the other, the tokens that grew out of it.
    family      TEXT,
    -- Another name that finds it.
    alias       TEXT,
    -- A hash of what must not have changed in between.
    state       TEXT NOT NULL,
    -- The whole record; of a code or token sealed with the code or token itself.
    body        {bytes} NOT NULL,
    established BIGINT NOT NULL,
    expires     BIGINT,
    used_at     {ts},
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX oauth_records_alias ON oauth_records (kind, alias);
CREATE INDEX oauth_records_client ON oauth_records (client_id, subject);
CREATE INDEX oauth_records_family ON oauth_records (family);
CREATE INDEX oauth_records_expires ON oauth_records (expires);
CREATE INDEX oauth_records_tenant ON oauth_records (tenant_id, kind);
-- What was ended, kept until nothing that was under way at that moment can still be written.
CREATE TABLE oauth_revocations (
    -- client, consent or family
    kind      TEXT NOT NULL,
    -- The client or the family.
    name      TEXT NOT NULL,
    -- Of a consent; otherwise empty.
    subject   TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    recorded  BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    PRIMARY KEY (kind, name, subject)
);
