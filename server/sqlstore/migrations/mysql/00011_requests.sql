-- Whom users take messages, groups and calls of, and what waits for their word.
-- MySQL has no ADD COLUMN IF NOT EXISTS, and this may begin again after it was
-- cut short.

-- +goose Up
CREATE TABLE IF NOT EXISTS privacy ( -- '': not chosen
    user_id       BIGINT      NOT NULL PRIMARY KEY,
    messages_from VARCHAR(16) NOT NULL,
    groups_from   VARCHAR(16) NOT NULL,
    calls_from    VARCHAR(16) NOT NULL,
    CONSTRAINT privacy_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- state: 0 waiting, 1 declined.
CREATE TABLE IF NOT EXISTS requests (
    id              BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id         BIGINT      NOT NULL, -- who is asked
    from_id         BIGINT      NOT NULL,
    kind            VARCHAR(16) NOT NULL, -- message, group or call
    conversation_id BIGINT      NOT NULL, -- 0 for a call
    state           TINYINT     NOT NULL,
    created_at      BIGINT      NOT NULL,
    UNIQUE KEY requests_one (user_id, from_id, kind, conversation_id),
    KEY requests_waiting (user_id, state, id),
    KEY requests_conversation (conversation_id),
    CONSTRAINT requests_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT requests_from FOREIGN KEY (from_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- closed: the next message of the other one of two is looked at as his first.
-- There is another state: 3 asked, which is not in it until he accepts.
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE members ADD COLUMN closed TINYINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'members' AND column_name = 'closed');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- Groups whose messages are on their way out.
CREATE TABLE IF NOT EXISTS deleted_groups (
    conversation_id BIGINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE deleted_groups;
ALTER TABLE members DROP COLUMN closed;
DROP TABLE requests;
DROP TABLE privacy;
