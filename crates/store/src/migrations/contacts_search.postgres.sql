CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX contacts_search ON contacts USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
