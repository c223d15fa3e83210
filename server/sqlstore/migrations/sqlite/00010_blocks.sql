-- Who wants to hear nothing of whom.

-- +goose Up
CREATE TABLE blocks (
    user_id    INTEGER NOT NULL REFERENCES users (id),
    blocked_id INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID;
CREATE INDEX blocks_reverse ON blocks (blocked_id, user_id);

-- +goose Down
DROP TABLE blocks;
