-- The second factor of a login. The secret is encrypted; last_step is the last time
-- step of which a code was used, so that none is used twice.

-- +goose Up
CREATE TABLE IF NOT EXISTS two_factor (
    user_id    BIGINT         NOT NULL PRIMARY KEY,
    secret     VARBINARY(255) NOT NULL,
    active     TINYINT        NOT NULL,
    last_step  BIGINT         NOT NULL,
    created_at BIGINT         NOT NULL,
    CONSTRAINT two_factor_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS backup_codes (
    user_id   BIGINT        NOT NULL,
    code_hash VARBINARY(64) NOT NULL,
    PRIMARY KEY (user_id, code_hash),
    CONSTRAINT backup_codes_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS trusted_devices (
    id         VARBINARY(64) NOT NULL PRIMARY KEY,
    user_id    BIGINT        NOT NULL,
    token_hash VARBINARY(64) NOT NULL,
    device     VARCHAR(255)  NOT NULL,
    addr       VARBINARY(64) NOT NULL,
    created_at BIGINT        NOT NULL,
    expires_at BIGINT        NOT NULL,
    KEY trusted_devices_user (user_id, created_at),
    CONSTRAINT trusted_devices_owner FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE trusted_devices;
DROP TABLE backup_codes;
DROP TABLE two_factor;
