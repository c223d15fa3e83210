-- When the refresh token was last changed for a new one: the old one has a grace.

-- +goose Up
ALTER TABLE sessions ADD COLUMN rotated_at INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sessions DROP COLUMN rotated_at;
