-- What the staff tells users (user_id 0: everybody), and up to which each was told.

-- +goose Up
CREATE TABLE IF NOT EXISTS notices (
    id         BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT      NOT NULL,
    kind       VARCHAR(32) NOT NULL,
    message    TEXT        NOT NULL,
    created_at BIGINT      NOT NULL,
    KEY notices_user (user_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS notice_marks (
    user_id BIGINT NOT NULL PRIMARY KEY,
    told    BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE notice_marks;
DROP TABLE notices;
