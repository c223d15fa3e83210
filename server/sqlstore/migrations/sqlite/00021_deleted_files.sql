-- A file that its owner deleted, and that messages name: its row stays, so that
-- its id is not given again. blob_key is emptied once the bytes are gone.

-- +goose Up
ALTER TABLE files ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX files_of_owner ON files (owner_id, deleted, id);

-- +goose Down
DROP INDEX files_of_owner;
ALTER TABLE files DROP COLUMN deleted;
