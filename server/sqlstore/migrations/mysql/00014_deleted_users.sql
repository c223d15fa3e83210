-- Accounts that were deleted: the row stays, empty, since messages name it. What is
-- theirs elsewhere is removed by and by, by whichever node finds them in leaving.
-- MySQL has no ADD COLUMN IF NOT EXISTS, and this may begin again after it was cut
-- short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE users ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'users' AND column_name = 'deleted_at');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;
CREATE TABLE IF NOT EXISTS leaving (
    user_id BIGINT NOT NULL PRIMARY KEY,
    CONSTRAINT leaving_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE leaving;
ALTER TABLE users DROP COLUMN deleted_at;
