-- Times are unix microseconds, UTC; 0 is the zero time. What a row may lack is
-- NULL, so that unique indexes take any number of rows without it.

-- +goose Up
CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    phone         TEXT UNIQUE,
    username      TEXT COLLATE NOCASE UNIQUE,
    nickname      TEXT    NOT NULL,
    bio           TEXT    NOT NULL,
    avatar        TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    search        TEXT    NOT NULL, -- username and nickname in lower case
    last_seen     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
);

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    refresh_hash BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE friends (
    user_id    INTEGER NOT NULL REFERENCES users (id),
    friend_id  INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, friend_id)
) WITHOUT ROWID;
CREATE INDEX friends_reverse ON friends (friend_id, user_id);

-- The pair is NULL in a group.
CREATE TABLE conversations (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    owner_id   INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL DEFAULT 0,
    pair_low   INTEGER REFERENCES users (id),
    pair_high  INTEGER REFERENCES users (id),
    created_at INTEGER NOT NULL,
    UNIQUE (pair_low, pair_high)
);

-- state: 0 in it, 1 banned, 2 gone. A row outlives membership, because the
-- sender's receipts must not go back when a reader leaves.
CREATE TABLE members (
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    role            TEXT    NOT NULL,
    muted           INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    read_seq        INTEGER NOT NULL,
    delivered_seq   INTEGER NOT NULL,
    joined_at       INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id, state);
CREATE INDEX members_read ON members (conversation_id, read_seq);

-- No foreign keys here: Append checks the member row, which has them, in the
-- same transaction, and this is the table where every microsecond counts.
CREATE TABLE messages (
    id              INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    sender_id       INTEGER,
    content         TEXT    NOT NULL,
    type            TEXT    NOT NULL,
    reply_to_id     INTEGER NOT NULL,
    file_id         INTEGER,
    client_msg_id   TEXT,
    edited          INTEGER NOT NULL DEFAULT 0,
    recalled        INTEGER NOT NULL DEFAULT 0,
    deleted         INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (conversation_id, seq)
);
CREATE UNIQUE INDEX messages_client ON messages (sender_id, client_msg_id) WHERE client_msg_id IS NOT NULL;
CREATE INDEX messages_file ON messages (file_id, conversation_id) WHERE file_id IS NOT NULL;

CREATE TABLE files (
    id           INTEGER PRIMARY KEY,
    owner_id     INTEGER NOT NULL REFERENCES users (id),
    name         TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    content_type TEXT    NOT NULL,
    sha256       TEXT    NOT NULL,
    blob_key     TEXT    NOT NULL,
    created_at   INTEGER NOT NULL
);

-- +goose Down
DROP TABLE files;
DROP TABLE messages;
DROP TABLE members;
DROP TABLE conversations;
DROP TABLE friends;
DROP TABLE sessions;
DROP TABLE users;
