-- What must be told apart to the last byte is VARBINARY: text is compared with
-- trailing spaces left out, by every collation that MySQL and MariaDB share.
-- IF NOT EXISTS, because a change of the schema is no transaction here: one
-- that is cut short begins again.

-- +goose Up
CREATE TABLE IF NOT EXISTS users (
    id            BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    phone         VARBINARY(64),
    username      VARCHAR(64),
    username_key  VARBINARY(256) GENERATED ALWAYS AS (LOWER(username)) STORED,
    nickname      VARCHAR(255)   NOT NULL,
    bio           TEXT           NOT NULL,
    avatar        TEXT           NOT NULL,
    role          VARCHAR(32)    NOT NULL,
    password_hash VARCHAR(255)   NOT NULL,
    search        TEXT           NOT NULL, -- username and nickname in lower case
    last_seen     BIGINT         NOT NULL,
    created_at    BIGINT         NOT NULL,
    UNIQUE KEY users_phone (phone),
    UNIQUE KEY users_username (username_key)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS sessions (
    id           VARBINARY(255) NOT NULL PRIMARY KEY,
    user_id      BIGINT         NOT NULL,
    refresh_hash VARBINARY(255) NOT NULL,
    created_at   BIGINT         NOT NULL,
    expires_at   BIGINT         NOT NULL,
    CONSTRAINT sessions_user FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friends (
    user_id    BIGINT NOT NULL,
    friend_id  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, friend_id),
    KEY friends_reverse (friend_id, user_id),
    CONSTRAINT friends_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT friends_friend FOREIGN KEY (friend_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The pair is NULL in a group.
CREATE TABLE IF NOT EXISTS conversations (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind       VARCHAR(16)  NOT NULL,
    title      VARCHAR(512) NOT NULL,
    owner_id   BIGINT       NOT NULL,
    last_seq   BIGINT       NOT NULL DEFAULT 0,
    pair_low   BIGINT,
    pair_high  BIGINT,
    created_at BIGINT       NOT NULL,
    UNIQUE KEY conversations_pair (pair_low, pair_high),
    KEY conversations_high (pair_high),
    CONSTRAINT conversations_low_user FOREIGN KEY (pair_low) REFERENCES users (id),
    CONSTRAINT conversations_high_user FOREIGN KEY (pair_high) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- state: 0 in it, 1 banned, 2 gone. A row outlives membership, because the
-- sender's receipts must not go back when a reader leaves.
CREATE TABLE IF NOT EXISTS members (
    conversation_id BIGINT      NOT NULL,
    user_id         BIGINT      NOT NULL,
    role            VARCHAR(32) NOT NULL,
    muted           TINYINT     NOT NULL,
    state           TINYINT     NOT NULL,
    read_seq        BIGINT      NOT NULL,
    delivered_seq   BIGINT      NOT NULL,
    joined_at       BIGINT      NOT NULL,
    PRIMARY KEY (conversation_id, user_id),
    KEY members_user (user_id, state),
    KEY members_read (conversation_id, read_seq),
    CONSTRAINT members_conversation FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT members_member FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- No foreign keys here: Append checks the member row, which has them, in the
-- same transaction, and this is the table where every microsecond counts.
CREATE TABLE IF NOT EXISTS messages (
    id              BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    conversation_id BIGINT         NOT NULL,
    seq             BIGINT         NOT NULL,
    sender_id       BIGINT,
    content         MEDIUMTEXT     NOT NULL,
    type            VARCHAR(32)    NOT NULL,
    reply_to_id     BIGINT         NOT NULL,
    file_id         BIGINT,
    client_msg_id   VARBINARY(255),
    edited          TINYINT        NOT NULL DEFAULT 0,
    recalled        TINYINT        NOT NULL DEFAULT 0,
    deleted         TINYINT        NOT NULL DEFAULT 0,
    created_at      BIGINT         NOT NULL,
    updated_at      BIGINT         NOT NULL,
    UNIQUE KEY messages_seq (conversation_id, seq),
    UNIQUE KEY messages_client (sender_id, client_msg_id),
    KEY messages_file (file_id, conversation_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS files (
    id           BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    owner_id     BIGINT         NOT NULL,
    name         VARCHAR(255)   NOT NULL,
    size         BIGINT         NOT NULL,
    content_type VARCHAR(255)   NOT NULL,
    sha256       VARBINARY(64)  NOT NULL,
    blob_key     VARBINARY(512) NOT NULL,
    created_at   BIGINT         NOT NULL,
    CONSTRAINT files_owner FOREIGN KEY (owner_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE files;
DROP TABLE messages;
DROP TABLE members;
DROP TABLE conversations;
DROP TABLE friends;
DROP TABLE sessions;
DROP TABLE users;
