-- What users report. pending is 1 until somebody handled it and NULL from then
-- on, so that a user has one report of a thing that waits, and any number that
-- do not. content is the message as it was then.

-- +goose Up
CREATE TABLE IF NOT EXISTS reports (
    id           BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
    reporter_id  BIGINT        NOT NULL,
    user_id      BIGINT        NOT NULL, -- whom it is about
    message_id   BIGINT        NOT NULL, -- 0: about the user
    reason       VARCHAR(255)  NOT NULL,
    comment      VARCHAR(2048) NOT NULL,
    content      MEDIUMTEXT    NOT NULL,
    pending      TINYINT,
    action       VARCHAR(32)   NOT NULL,
    handled_by   BIGINT        NOT NULL,
    handled_at   BIGINT        NOT NULL,
    created_at   BIGINT        NOT NULL,
    UNIQUE KEY reports_once (reporter_id, user_id, message_id, pending),
    KEY reports_pending (pending, id),
    KEY reports_user (user_id, id),
    CONSTRAINT reports_reporter FOREIGN KEY (reporter_id) REFERENCES users (id),
    CONSTRAINT reports_about FOREIGN KEY (user_id) REFERENCES users (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- +goose Down
DROP TABLE reports;
