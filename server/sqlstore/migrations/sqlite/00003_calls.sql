-- +goose Up
CREATE TABLE calls (
    id                TEXT PRIMARY KEY,
    type              TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    caller_id         INTEGER NOT NULL REFERENCES users (id),
    callee_id         INTEGER NOT NULL REFERENCES users (id),
    caller_candidates INTEGER NOT NULL,
    callee_candidates INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    answered_at       INTEGER NOT NULL,
    connected_at      INTEGER NOT NULL,
    ended_at          INTEGER, -- NULL: not yet
    reason            TEXT    NOT NULL,
    ended_by          INTEGER NOT NULL,
    signals           TEXT    NOT NULL -- JSON: what waits for a device; empty: nothing does
) WITHOUT ROWID;
CREATE INDEX calls_ended ON calls (ended_at);

-- Who is in a call now: a user at most once. conn is NULL while no device is.
CREATE TABLE call_legs (
    user_id INTEGER PRIMARY KEY,
    call_id TEXT    NOT NULL,
    conn    INTEGER,
    session TEXT    NOT NULL,
    joined  INTEGER NOT NULL,
    up      INTEGER NOT NULL,
    until   INTEGER NOT NULL
);
CREATE INDEX call_legs_call ON call_legs (call_id);
CREATE INDEX call_legs_conn ON call_legs (conn);
CREATE INDEX call_legs_until ON call_legs (until);

-- +goose Down
DROP TABLE call_legs;
DROP TABLE calls;
