-- What users deleted for themselves: single messages, and conversations up to
-- cleared_seq; hides is 1 of who hid single ones. read_at and delivered_at are
-- when the marks were last moved; 0: not known.

-- +goose Up
CREATE TABLE hidden_messages (
    conversation_id INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    user_id         INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, seq, user_id)
) WITHOUT ROWID;
ALTER TABLE members ADD COLUMN cleared_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN hides INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN read_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN delivered_at INTEGER NOT NULL DEFAULT 0;

-- +goose Down
DROP TABLE hidden_messages;
ALTER TABLE members DROP COLUMN cleared_seq;
ALTER TABLE members DROP COLUMN hides;
ALTER TABLE members DROP COLUMN read_at;
ALTER TABLE members DROP COLUMN delivered_at;
