-- How many bytes the files of each owner have, and in row 0 those of all.

-- +goose Up
CREATE TABLE file_bytes (
    owner_id INTEGER PRIMARY KEY,
    bytes    INTEGER NOT NULL
);
INSERT INTO file_bytes (owner_id, bytes) SELECT owner_id, SUM(size) FROM files GROUP BY owner_id;
INSERT INTO file_bytes (owner_id, bytes) SELECT 0, COALESCE(SUM(size), 0) FROM files;

-- +goose Down
DROP TABLE file_bytes;
