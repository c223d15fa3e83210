-- What a search for people finds: every end of a username and of a nickname, in
-- lower case. A name contains what one of its ends begins with. 00006 fills it.

-- +goose Up
CREATE TABLE IF NOT EXISTS user_parts (
    part    VARBINARY(256) NOT NULL,
    user_id BIGINT         NOT NULL,
    PRIMARY KEY (part, user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE user_parts;
