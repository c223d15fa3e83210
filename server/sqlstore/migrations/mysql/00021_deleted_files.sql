-- A file that its owner deleted, and that messages name: its row stays, so that
-- its id is not given again. blob_key is emptied once the bytes are gone. MySQL
-- has no ADD COLUMN IF NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE files ADD COLUMN deleted TINYINT NOT NULL DEFAULT 0,
        ADD INDEX files_of_owner (owner_id, deleted, id)', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'files' AND column_name = 'deleted');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
ALTER TABLE files ADD INDEX files_owner (owner_id), DROP INDEX files_of_owner, DROP COLUMN deleted;
