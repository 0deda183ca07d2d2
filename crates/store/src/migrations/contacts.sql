CREATE TABLE contacts (
    id            {id},
    tenant_id     TEXT NOT NULL,
    ecosystem     TEXT NOT NULL,
    vendor_id     TEXT NOT NULL,
    data          {json} NOT NULL,
    name          TEXT,
    first_name    TEXT,
    company       TEXT,
    email         TEXT,
    phone         TEXT,
    kind          TEXT,
    tags          {json} NOT NULL,
    source        TEXT,
    created_at    {ts},
    last_activity {ts},
    data_hash     {bytes} NOT NULL,
    extra_text    TEXT,
    search_text   TEXT NOT NULL,
    importance    SMALLINT NOT NULL,
    last_synced   {ts} NOT NULL,
    expires_at    {ts},
    deleted_at    {ts},
    seen_run      {uuid},
    UNIQUE (tenant_id, ecosystem, vendor_id)
);
-- last_synced and seen_run stay out of every index: "seen again, unchanged" changes nothing that is searched by.
CREATE INDEX contacts_active ON contacts (tenant_id, last_activity {desc}, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX contacts_added ON contacts (tenant_id, created_at {desc}, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX contacts_importance ON contacts (tenant_id, importance DESC, id DESC) WHERE deleted_at IS NULL;
