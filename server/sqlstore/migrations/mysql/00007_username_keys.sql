-- What usernames are compared by: one rule for every engine, and for all letters.
-- 00008 fills it. username_key stays for nodes of the version before, until all
-- are restarted. MySQL has no ADD COLUMN IF NOT EXISTS, and this may begin again
-- after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE users ADD COLUMN name_key VARBINARY(768), ADD UNIQUE KEY users_name_key (name_key)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'name_key');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
ALTER TABLE users DROP COLUMN name_key;
