-- Which role whoever banned had: a lower one does not shorten or lift the ban. Of
-- bans that are there, it is the role that he has by now. MySQL has no ADD COLUMN IF
-- NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE bans ADD COLUMN by_role VARCHAR(16) NOT NULL DEFAULT ''''', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'bans' AND column_name = 'by_role');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
UPDATE bans k SET k.by_role = CASE WHEN k.banned_by = 0 THEN 'operator'
    ELSE COALESCE((SELECT u.role FROM users u WHERE u.id = k.banned_by), '') END
    WHERE k.by_role = '';

-- +goose Down
ALTER TABLE bans DROP COLUMN by_role;
