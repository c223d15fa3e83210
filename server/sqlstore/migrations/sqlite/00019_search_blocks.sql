-- What a search of messages goes by: a block for every 32 messages of a
-- conversation, those up to last_seq, made in the background once they are all
-- there. Blocks follow each other without a gap; the messages behind the last are
-- read. grams is a signature of their text (grams.go); empty: they are read, too.

-- +goose Up
CREATE TABLE search_blocks (
    conversation_id INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL,
    first_id        INTEGER NOT NULL,
    last_id         INTEGER NOT NULL,
    grams           BLOB    NOT NULL,
    PRIMARY KEY (conversation_id, last_seq)
) WITHOUT ROWID;
CREATE INDEX search_blocks_ids ON search_blocks (conversation_id, last_id, first_id);

-- Up to which message the blocks are made: from the first on, after an upgrade.
CREATE TABLE search_progress (
    id         INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL
);
INSERT INTO search_progress (id, message_id) VALUES (1, 0);

-- +goose Down
DROP TABLE search_blocks;
DROP TABLE search_progress;
