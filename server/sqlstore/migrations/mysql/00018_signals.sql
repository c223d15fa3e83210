-- What a command of the operator's, which is no node, has to tell the nodes: each
-- looks every second.

-- +goose Up
CREATE TABLE IF NOT EXISTS signals (
    id         BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind       VARCHAR(32) NOT NULL,
    body       MEDIUMTEXT  NOT NULL, -- JSON
    created_at BIGINT      NOT NULL,
    KEY signals_created (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE signals;
