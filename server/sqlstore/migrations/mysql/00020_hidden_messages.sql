-- What users deleted for themselves: single messages, and conversations up to
-- cleared_seq; hides is 1 of who hid single ones. read_at and delivered_at are
-- when the marks were last moved; 0: not known. MySQL has no ADD COLUMN IF NOT
-- EXISTS, and this may begin again after it was cut short.

-- +goose Up
CREATE TABLE IF NOT EXISTS hidden_messages (
    conversation_id BIGINT NOT NULL,
    seq             BIGINT NOT NULL,
    user_id         BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, seq, user_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
SET @change = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE members
        ADD COLUMN cleared_seq BIGINT NOT NULL DEFAULT 0, ADD COLUMN hides TINYINT NOT NULL DEFAULT 0,
        ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0, ADD COLUMN delivered_at BIGINT NOT NULL DEFAULT 0', 'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'members' AND column_name = 'delivered_at');
PREPARE change_schema FROM @change;
EXECUTE change_schema;
DEALLOCATE PREPARE change_schema;

-- +goose Down
DROP TABLE hidden_messages;
ALTER TABLE members DROP COLUMN cleared_seq, DROP COLUMN hides, DROP COLUMN read_at, DROP COLUMN delivered_at;
