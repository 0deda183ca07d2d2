-- How long the list of new entries may grow is said by the session: short, except in the middle of a sync.
ALTER INDEX contacts_search RESET (gin_pending_list_limit);
