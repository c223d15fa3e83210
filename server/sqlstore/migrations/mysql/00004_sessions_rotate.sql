-- When the refresh token was last changed for a new one: the old one has a grace.
-- MySQL has no ADD COLUMN IF NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE sessions ADD COLUMN rotated_at BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'sessions' AND column_name = 'rotated_at');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
ALTER TABLE sessions DROP COLUMN rotated_at;
