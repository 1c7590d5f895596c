-- +goose Up
-- What our own CAs have issued, as far as it has not ended long ago.
CREATE TABLE issued (
    fingerprint TEXT   PRIMARY KEY,
    ca          TEXT   NOT NULL, -- which of them, as the configuration has it
    profile     TEXT   NOT NULL,
    state       TEXT   NOT NULL, -- 'issued', 'revoked', 'on hold'
    subject     TEXT   NOT NULL,
    names       TEXT   NOT NULL, -- lower case, a space before and behind each
    serial      TEXT   NOT NULL,
    issued_at   BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL,
    body        TEXT   NOT NULL  -- JSON
);
CREATE INDEX issued_by_end ON issued (not_after, fingerprint);
CREATE INDEX issued_by_serial ON issued (serial);
CREATE INDEX issued_by_state ON issued (ca, state);

CREATE TABLE issued_names (
    name        TEXT   NOT NULL, -- lower case
    fingerprint TEXT   NOT NULL,
    PRIMARY KEY (name, fingerprint)
);
CREATE INDEX issued_names_by_print ON issued_names (fingerprint);

-- A precertificate and its certificate have other fingerprints and the same serial number.
ALTER TABLE certificates ADD COLUMN serial TEXT NOT NULL DEFAULT '';
CREATE INDEX certificates_by_serial ON certificates (serial);
