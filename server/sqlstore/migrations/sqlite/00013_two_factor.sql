-- The second factor of a login. The secret is encrypted; last_step is the last time
-- step of which a code was used, so that none is used twice.

-- +goose Up
CREATE TABLE two_factor (
    user_id    INTEGER PRIMARY KEY REFERENCES users (id),
    secret     BLOB    NOT NULL,
    active     INTEGER NOT NULL,
    last_step  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE backup_codes (
    user_id   INTEGER NOT NULL REFERENCES users (id),
    code_hash BLOB    NOT NULL,
    PRIMARY KEY (user_id, code_hash)
) WITHOUT ROWID;

CREATE TABLE trusted_devices (
    id         TEXT PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    token_hash BLOB    NOT NULL,
    device     TEXT    NOT NULL,
    addr       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX trusted_devices_user ON trusted_devices (user_id, created_at);

-- +goose Down
DROP TABLE trusted_devices;
DROP TABLE backup_codes;
DROP TABLE two_factor;
