-- Whom users take messages, groups and calls of, and what waits for their word.

-- +goose Up
CREATE TABLE privacy ( -- '': not chosen
    user_id       INTEGER PRIMARY KEY REFERENCES users (id),
    messages_from TEXT NOT NULL,
    groups_from   TEXT NOT NULL,
    calls_from    TEXT NOT NULL
);

-- state: 0 waiting, 1 declined. The ids of requests are not used again: two
-- devices may answer one.
CREATE TABLE requests (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id         INTEGER NOT NULL REFERENCES users (id), -- who is asked
    from_id         INTEGER NOT NULL REFERENCES users (id),
    kind            TEXT    NOT NULL, -- message, group or call
    conversation_id INTEGER NOT NULL, -- 0 for a call
    state           INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (user_id, from_id, kind, conversation_id)
);
CREATE INDEX requests_waiting ON requests (user_id, state, id);
CREATE INDEX requests_conversation ON requests (conversation_id);

-- closed: the next message of the other one of two is looked at as his first.
-- There is another state: 3 asked, which is not in it until he accepts.
ALTER TABLE members ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;

-- Groups whose messages are on their way out.
CREATE TABLE deleted_groups (
    conversation_id INTEGER PRIMARY KEY
);

-- +goose Down
DROP TABLE deleted_groups;
ALTER TABLE members DROP COLUMN closed;
DROP TABLE requests;
DROP TABLE privacy;
