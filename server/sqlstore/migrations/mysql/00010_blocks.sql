-- Who wants to hear nothing of whom.

-- +goose Up
CREATE TABLE IF NOT EXISTS blocks (
    user_id    BIGINT NOT NULL,
    blocked_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, blocked_id),
    KEY blocks_reverse (blocked_id, user_id),
    CONSTRAINT blocks_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT blocks_blocked FOREIGN KEY (blocked_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE blocks;
