CREATE TABLE recommendation_outcomes (
    id             {uuid} PRIMARY KEY,
    tenant_id      TEXT NOT NULL,
    contact_id     BIGINT NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    recommendation TEXT NOT NULL,
    acted          BOOLEAN NOT NULL,
    outcome        TEXT,
    at             {ts} NOT NULL
);
CREATE INDEX recommendation_outcomes_contact ON recommendation_outcomes (tenant_id, contact_id, at DESC);
