-- Wrong passwords in a row, by person and by where they come from, and until when nobody may try from there.
CREATE TABLE password_guesses (
    tenant_id    TEXT NOT NULL,
    person_id    {uuid} NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    -- Of the client, as far as one customer of a provider has it.
    address      TEXT NOT NULL,
    failures     BIGINT NOT NULL,
    locked_until {ts},
    -- The person has signed in from there.
    known        BOOLEAN NOT NULL,
    tried_at     {ts} NOT NULL,
    PRIMARY KEY (tenant_id, person_id, address)
);
