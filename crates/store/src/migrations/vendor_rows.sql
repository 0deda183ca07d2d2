CREATE TABLE {table} (
    id          {id},
    tenant_id   TEXT NOT NULL,
    ecosystem   TEXT NOT NULL,
    vendor_id   TEXT NOT NULL,
    data        {json} NOT NULL,
    last_synced {ts} NOT NULL,
    expires_at  {ts},
    deleted_at  {ts},
    UNIQUE (tenant_id, ecosystem, vendor_id)
);
