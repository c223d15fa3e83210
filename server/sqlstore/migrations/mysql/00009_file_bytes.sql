-- How many bytes the files of each owner have, and in row 0 those of all. REPLACE,
-- because this may begin again after it was cut short.

-- +goose Up
CREATE TABLE IF NOT EXISTS file_bytes (
    owner_id BIGINT NOT NULL PRIMARY KEY,
    bytes    BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
REPLACE INTO file_bytes (owner_id, bytes) SELECT owner_id, SUM(size) FROM files GROUP BY owner_id;
REPLACE INTO file_bytes (owner_id, bytes) SELECT 0, COALESCE(SUM(size), 0) FROM files;

-- +goose Down
DROP TABLE file_bytes;
