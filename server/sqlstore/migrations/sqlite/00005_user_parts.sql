-- What a search for people finds: every end of a username and of a nickname, in
-- lower case. A name contains what one of its ends begins with. 00006 fills it.

-- +goose Up
CREATE TABLE user_parts (
    part    BLOB    NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (part, user_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE user_parts;
