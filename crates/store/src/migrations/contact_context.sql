CREATE TABLE contact_context (
    contact_id         {key} PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE,
    tenant_id          TEXT NOT NULL,
    contact_name       TEXT,
    nicknames          {json} NOT NULL,
    own_nicknames      {json} NOT NULL,
    personal_notes     TEXT,
    company_info       TEXT,
    relationship_notes TEXT,
    last_interaction   {ts},
    interaction_count  BIGINT NOT NULL DEFAULT 0,
    importance_score   SMALLINT NOT NULL,
    custom_tags        {json} NOT NULL,
    updated_at         {ts} NOT NULL
);
CREATE INDEX contact_context_tenant ON contact_context (tenant_id, contact_id);
