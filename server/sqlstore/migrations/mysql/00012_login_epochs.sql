-- A login that began before an account's sessions were ended makes none after it:
-- login_epoch has gone up. What is known of a session is shown to its user;
-- second_factor: it was opened with more than a password. MySQL has no ADD COLUMN
-- IF NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE users ADD COLUMN login_epoch BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'login_epoch');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE sessions ADD COLUMN device VARCHAR(255) NOT NULL DEFAULT \'\',
        ADD COLUMN addr VARBINARY(64) NOT NULL DEFAULT \'\', ADD COLUMN second_factor TINYINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'sessions' AND column_name = 'second_factor');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
ALTER TABLE sessions DROP COLUMN device, DROP COLUMN addr, DROP COLUMN second_factor;
ALTER TABLE users DROP COLUMN login_epoch;
