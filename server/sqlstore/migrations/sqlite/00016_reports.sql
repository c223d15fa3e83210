-- What users report. pending is 1 until somebody handled it and NULL from then
-- on, so that a user has one report of a thing that waits, and any number that
-- do not. content is the message as it was then.

-- +goose Up
CREATE TABLE reports (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    reporter_id  INTEGER NOT NULL REFERENCES users (id),
    user_id      INTEGER NOT NULL REFERENCES users (id), -- whom it is about
    message_id   INTEGER NOT NULL,                       -- 0: about the user
    reason       TEXT    NOT NULL,
    comment      TEXT    NOT NULL,
    content      TEXT    NOT NULL,
    pending      INTEGER,
    action       TEXT    NOT NULL,
    handled_by   INTEGER NOT NULL,
    handled_at   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX reports_once ON reports (reporter_id, user_id, message_id, pending);
CREATE INDEX reports_pending ON reports (pending, id);
CREATE INDEX reports_user ON reports (user_id, id);

-- +goose Down
DROP TABLE reports;
