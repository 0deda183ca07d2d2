-- Where changes after the last walk begin, in the vendor's own terms.
ALTER TABLE sync_cursors ADD COLUMN bookmark TEXT;
