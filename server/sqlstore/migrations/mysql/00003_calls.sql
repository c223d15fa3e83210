-- +goose Up
CREATE TABLE IF NOT EXISTS calls (
    id                VARBINARY(64) NOT NULL PRIMARY KEY,
    type              VARCHAR(16)   NOT NULL,
    state             VARCHAR(16)   NOT NULL,
    caller_id         BIGINT        NOT NULL,
    callee_id         BIGINT        NOT NULL,
    caller_candidates INT           NOT NULL,
    callee_candidates INT           NOT NULL,
    created_at        BIGINT        NOT NULL,
    answered_at       BIGINT        NOT NULL,
    connected_at      BIGINT        NOT NULL,
    ended_at          BIGINT, -- NULL: not yet
    reason            VARCHAR(32)   NOT NULL,
    ended_by          BIGINT        NOT NULL,
    signals           MEDIUMTEXT    NOT NULL, -- JSON: what waits for a device; empty: nothing does
    KEY calls_ended (ended_at),
    CONSTRAINT calls_caller FOREIGN KEY (caller_id) REFERENCES users (id),
    CONSTRAINT calls_callee FOREIGN KEY (callee_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Who is in a call now: a user at most once. conn is NULL while no device is.
CREATE TABLE IF NOT EXISTS call_legs (
    user_id BIGINT         NOT NULL PRIMARY KEY,
    call_id VARBINARY(64)  NOT NULL,
    conn    BIGINT,
    session VARBINARY(255) NOT NULL,
    joined  TINYINT        NOT NULL,
    up      TINYINT        NOT NULL,
    until   BIGINT         NOT NULL,
    KEY call_legs_call (call_id),
    KEY call_legs_conn (conn),
    KEY call_legs_until (until)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE call_legs;
DROP TABLE calls;
