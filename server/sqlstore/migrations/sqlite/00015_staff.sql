-- Roles are looked for, bans are rows (until 0: for good), and the audit only
-- grows: no statement of the server changes or deletes a row of it.

-- +goose Up
CREATE INDEX users_role ON users (role);

CREATE TABLE bans (
    user_id    INTEGER PRIMARY KEY REFERENCES users (id),
    reason     TEXT    NOT NULL,
    until      INTEGER NOT NULL,
    banned_by  INTEGER NOT NULL, -- 0: the operator
    created_at INTEGER NOT NULL
);
CREATE INDEX bans_until ON bans (until);

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    level      TEXT    NOT NULL,
    module     TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    user_id    INTEGER NOT NULL, -- who; 0: the operator
    target     TEXT    NOT NULL,
    ip         TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_target ON audit (target, id);
CREATE INDEX audit_level ON audit (level, id);
CREATE INDEX audit_module ON audit (module, id);

-- +goose Down
DROP TABLE audit;
DROP TABLE bans;
DROP INDEX users_role;
