-- The businesses of this installation. The column is named as in every other table, so that a tenant sees its own row.
CREATE TABLE tenants (
    tenant_id   TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    created_at  {ts} NOT NULL,
    -- Since when it answers nobody.
    disabled_at {ts}
);
