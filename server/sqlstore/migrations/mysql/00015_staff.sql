-- Roles are looked for, bans are rows (until 0: for good), and the audit only
-- grows: no statement of the server changes or deletes a row of it. MySQL has no
-- CREATE INDEX IF NOT EXISTS, and this may begin again after it was cut short.

-- +goose Up
SET @change = (SELECT IF(COUNT(*) = 0, 'CREATE INDEX users_role ON users (role)', 'DO 0')
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'users' AND index_name = 'users_role');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

CREATE TABLE IF NOT EXISTS bans (
    user_id    BIGINT       NOT NULL PRIMARY KEY,
    reason     VARCHAR(512) NOT NULL,
    until      BIGINT       NOT NULL,
    banned_by  BIGINT       NOT NULL, -- 0: the operator
    created_at BIGINT       NOT NULL,
    KEY bans_until (until),
    CONSTRAINT bans_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit (
    id         BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
    level      VARCHAR(16)   NOT NULL,
    module     VARCHAR(32)   NOT NULL,
    message    VARCHAR(2048) NOT NULL,
    user_id    BIGINT        NOT NULL, -- who; 0: the operator
    target     VARBINARY(64) NOT NULL,
    ip         VARCHAR(64)   NOT NULL,
    created_at BIGINT        NOT NULL,
    KEY audit_user (user_id, id),
    KEY audit_target (target, id),
    KEY audit_level (level, id),
    KEY audit_module (module, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE audit;
DROP TABLE bans;
DROP INDEX users_role ON users;
