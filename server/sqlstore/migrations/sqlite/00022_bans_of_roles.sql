-- Which role whoever banned had: a lower one does not shorten or lift the ban. Of
-- bans that are there, it is the role that he has by now.

-- +goose Up
ALTER TABLE bans ADD COLUMN by_role TEXT NOT NULL DEFAULT '';
UPDATE bans SET by_role = CASE WHEN banned_by = 0 THEN 'operator'
    ELSE COALESCE((SELECT u.role FROM users u WHERE u.id = bans.banned_by), '') END;

-- +goose Down
ALTER TABLE bans DROP COLUMN by_role;
