-- Sessions that expired are deleted, the oldest first. MySQL has no CREATE INDEX
-- IF NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'CREATE INDEX sessions_expire ON sessions (expires_at)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'sessions' AND index_name = 'sessions_expire');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
DROP INDEX sessions_expire ON sessions;
