-- What the staff tells users (user_id 0: everybody), and up to which each was told.

-- +goose Up
CREATE TABLE notices (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX notices_user ON notices (user_id, id);

CREATE TABLE notice_marks (
    user_id INTEGER PRIMARY KEY,
    told    INTEGER NOT NULL
);

-- +goose Down
DROP TABLE notice_marks;
DROP TABLE notices;
