CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- New entries wait in a list, so that a sync's many small changes are sorted in together. A search reads through the
-- whole list (1 MB of it took 150 ms), which is why it is kept as short as PostgreSQL allows.
CREATE INDEX contacts_search ON contacts USING gin (search_text gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 64);
