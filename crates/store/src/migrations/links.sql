-- What a person said of a link between a contact and a customer of another system; the computed ones are not stored.
CREATE TABLE customer_links (
    tenant_id  TEXT NOT NULL,
    contact_id {key} NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    ecosystem  TEXT NOT NULL,
    vendor_id  TEXT NOT NULL,
    same       BOOLEAN NOT NULL,
    said_by    TEXT NOT NULL,
    said_at    {ts} NOT NULL,
    PRIMARY KEY (tenant_id, contact_id, ecosystem, vendor_id)
);
