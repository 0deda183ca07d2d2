CREATE TABLE sync_cursors (
    tenant_id    TEXT NOT NULL,
    ecosystem    TEXT NOT NULL,
    stream       TEXT NOT NULL,
    high_water   {ts},
    last_full_at {ts},
    updated_at   {ts} NOT NULL,
    PRIMARY KEY (tenant_id, ecosystem, stream)
);
