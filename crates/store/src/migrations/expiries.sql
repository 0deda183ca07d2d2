-- When what opens an account ends: its keys, and its refresh token.
ALTER TABLE credentials ADD COLUMN expires_at {ts};
ALTER TABLE oauth_tokens ADD COLUMN refresh_expires_at {ts};
