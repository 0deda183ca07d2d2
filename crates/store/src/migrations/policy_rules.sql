CREATE TABLE policy_rules (
    id         {uuid} PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    -- Rules are asked in this order; the first that fits decides.
    position   BIGINT NOT NULL,
    name       TEXT NOT NULL,
    rule       {json} NOT NULL,
    enabled    BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_at {ts} NOT NULL,
    updated_at {ts} NOT NULL,
    UNIQUE (tenant_id, name)
);
