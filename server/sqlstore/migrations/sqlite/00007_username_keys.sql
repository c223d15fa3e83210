-- What usernames are compared by: one rule for every engine, and for all letters.
-- 00008 fills it. COLLATE NOCASE of username goes no further than that.

-- +goose Up
ALTER TABLE users ADD COLUMN name_key TEXT;
CREATE UNIQUE INDEX users_name_key ON users (name_key);

-- +goose Down
DROP INDEX users_name_key;
ALTER TABLE users DROP COLUMN name_key;
