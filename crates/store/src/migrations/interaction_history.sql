CREATE TABLE interaction_history (
    id               {id},
    tenant_id        TEXT NOT NULL,
    contact_id       BIGINT NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    timestamp        {ts} NOT NULL,
    interaction_type TEXT NOT NULL,
    direction        TEXT,
    description      TEXT,
    extra_data       {json},
    ecosystem        TEXT NOT NULL,
    vendor_id        TEXT NOT NULL,
    UNIQUE (tenant_id, ecosystem, vendor_id)
);
CREATE INDEX interaction_history_contact ON interaction_history (tenant_id, contact_id, timestamp DESC, id DESC);
