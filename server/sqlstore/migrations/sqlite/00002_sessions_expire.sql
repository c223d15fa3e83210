-- Sessions that expired are deleted, the oldest first.

-- +goose Up
CREATE INDEX sessions_expire ON sessions (expires_at);

-- +goose Down
DROP INDEX sessions_expire;
