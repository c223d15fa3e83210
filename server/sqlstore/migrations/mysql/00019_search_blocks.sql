-- What a search of messages goes by: a block for every 32 messages of a
-- conversation, those up to last_seq, made in the background once they are all
-- there. Blocks follow each other without a gap; the messages behind the last are
-- read. grams is a signature of their text (grams.go); empty: they are read, too.

-- +goose Up
CREATE TABLE IF NOT EXISTS search_blocks (
    conversation_id BIGINT NOT NULL,
    last_seq        BIGINT NOT NULL,
    first_id        BIGINT NOT NULL,
    last_id         BIGINT NOT NULL,
    grams           BLOB   NOT NULL,
    PRIMARY KEY (conversation_id, last_seq),
    KEY search_blocks_ids (conversation_id, last_id, first_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Up to which message the blocks are made: from the first on, after an upgrade.
CREATE TABLE IF NOT EXISTS search_progress (
    id         TINYINT NOT NULL PRIMARY KEY,
    message_id BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
INSERT IGNORE INTO search_progress (id, message_id) VALUES (1, 0);

-- +goose Down
DROP TABLE search_blocks;
DROP TABLE search_progress;
