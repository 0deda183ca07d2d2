CREATE TABLE workflows (
    id          {uuid} PRIMARY KEY,
    tenant_id   TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    definition  {json} NOT NULL,
    enabled     BOOLEAN NOT NULL,
    created_at  {ts} NOT NULL,
    updated_at  {ts} NOT NULL,
    UNIQUE (tenant_id, name)
);
