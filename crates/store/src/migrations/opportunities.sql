CREATE TABLE opportunities (
    id                {id},
    tenant_id         TEXT NOT NULL,
    ecosystem         TEXT NOT NULL,
    vendor_id         TEXT NOT NULL,
    contact_vendor_id TEXT,
    data              {json} NOT NULL,
    name              TEXT,
    pipeline          TEXT,
    stage             TEXT,
    status            TEXT,
    value             {float},
    data_hash         {bytes} NOT NULL,
    last_synced       {ts} NOT NULL,
    expires_at        {ts},
    deleted_at        {ts},
    seen_run          {uuid},
    UNIQUE (tenant_id, ecosystem, vendor_id)
);
CREATE INDEX opportunities_contact ON opportunities (tenant_id, ecosystem, contact_vendor_id) WHERE deleted_at IS NULL;
