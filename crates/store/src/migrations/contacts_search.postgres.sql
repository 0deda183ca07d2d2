CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- New entries wait in a short list, so that a sync's many small changes are sorted in together; a search reads the list
-- too, which is why it is kept at 1 MB.
CREATE INDEX contacts_search ON contacts USING gin (search_text gin_trgm_ops)
    WITH (fastupdate = on, gin_pending_list_limit = 1024);
