-- A login that began before an account's sessions were ended makes none after it:
-- login_epoch has gone up. What is known of a session is shown to its user;
-- second_factor: it was opened with more than a password.

-- +goose Up
ALTER TABLE users ADD COLUMN login_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN addr TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_user ON sessions (user_id);

-- +goose Down
DROP INDEX sessions_user;
ALTER TABLE sessions DROP COLUMN second_factor;
ALTER TABLE sessions DROP COLUMN addr;
ALTER TABLE sessions DROP COLUMN device;
ALTER TABLE users DROP COLUMN login_epoch;
