-- Accounts that were deleted: the row stays, empty, since messages name it. What is
-- theirs elsewhere is removed by and by, by whichever node finds them in leaving.

-- +goose Up
ALTER TABLE users ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE leaving (
    user_id INTEGER PRIMARY KEY REFERENCES users (id)
);
CREATE INDEX requests_from ON requests (from_id);

-- +goose Down
DROP INDEX requests_from;
DROP TABLE leaving;
ALTER TABLE users DROP COLUMN deleted_at;
