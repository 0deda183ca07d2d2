-- Which ecosystems a key is for; NULL: all.
ALTER TABLE api_keys ADD COLUMN toolsets {json};
