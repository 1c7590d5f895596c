-- +goose Up
-- The last handshake that was recorded at each place of a target.
CREATE TABLE traces (
    target TEXT   NOT NULL,
    place  TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    why    TEXT   NOT NULL, -- for people
    body   TEXT   NOT NULL, -- a recording without secrets: JSON, gzip, base64
    PRIMARY KEY (target, place)
);
-- How many targets end when, and have which grade, is read from these alone.
CREATE INDEX targets_by_end ON targets (leaf_ends, name);
CREATE INDEX targets_by_grade ON targets (grade, name);
CREATE INDEX targets_by_last ON targets (last_at, name);
CREATE INDEX changes_in_order ON changes (at DESC, id DESC);

-- What certificates are searched by, in small letters: subject and names. Narrow, because it is read whole.
CREATE TABLE certificate_words (
    fingerprint TEXT PRIMARY KEY,
    words       TEXT NOT NULL
);
INSERT INTO certificate_words (fingerprint, words) SELECT fingerprint, LOWER(subject) || names FROM certificates;
