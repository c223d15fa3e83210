-- What a command of the operator's, which is no node, has to tell the nodes: each
-- looks every second. AUTOINCREMENT: an id that was deleted is not given again.

-- +goose Up
CREATE TABLE signals (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL, -- JSON
    created_at INTEGER NOT NULL
);
CREATE INDEX signals_created ON signals (created_at);

-- +goose Down
DROP TABLE signals;
