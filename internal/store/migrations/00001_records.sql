-- +goose Up
CREATE TABLE issuers (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL,
    key_hash    BLOB    NOT NULL, -- SHA-256 of name and public key, both DER: who signs, whatever the certificate
    certificate BLOB    NOT NULL, -- DER, the newest one
    shards      INTEGER NOT NULL, -- partitions of its CRL, for ever
    crl_number  INTEGER NOT NULL, -- the last one given out
    created_at  INTEGER NOT NULL, -- this and all times: milliseconds since 1970
    UNIQUE (key_hash)
);

-- A request is taken together with its serial number; without a certificate and
-- without an outcome it is open. Rows stay for ever, so a serial is never given twice.
CREATE TABLE requests (
    id       INTEGER PRIMARY KEY,
    issuer   INTEGER NOT NULL REFERENCES issuers (id),
    serial   BLOB    NOT NULL, -- big-endian, no leading zero
    asked_at INTEGER NOT NULL,
    profile  TEXT    NOT NULL,
    asked    TEXT    NOT NULL, -- what was asked for, JSON
    csr      BLOB,
    renews   INTEGER,
    outcome  INTEGER,          -- 4 refused, 5 lost
    reason   TEXT,
    UNIQUE (issuer, serial)
);

CREATE TABLE certificates (
    id         INTEGER PRIMARY KEY REFERENCES requests (id),
    issuer     INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- 2 issued, 3 revoked, 6 on hold
    profile    TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    names      TEXT    NOT NULL, -- alternative names, one a line
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    issued_at  INTEGER NOT NULL,
    der        BLOB    NOT NULL
);
CREATE INDEX certificates_by_end ON certificates (not_after);
CREATE INDEX certificates_not_good ON certificates (state) WHERE state <> 2;

CREATE TABLE names (
    name        TEXT    NOT NULL, -- lower case
    certificate INTEGER NOT NULL,
    PRIMARY KEY (name, certificate)
) WITHOUT ROWID;

-- What happened to a certificate's validity, in the order in which it happened. The
-- last row of a certificate counts; reason 8 takes it off the list again.
CREATE TABLE revocations (
    change      INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer      INTEGER NOT NULL,
    certificate INTEGER NOT NULL REFERENCES certificates (id),
    revoked_at  INTEGER NOT NULL,
    reason      INTEGER NOT NULL, -- RFC 5280, Section 5.3.1
    invalid_at  INTEGER,
    crl_number  INTEGER NOT NULL, -- the last number given out before this row
    noted_at    INTEGER NOT NULL
);
CREATE INDEX revocations_by_certificate ON revocations (certificate, change);

-- The last CRL of each kind that left: what the next delta starts from.
CREATE TABLE crl_state (
    issuer      INTEGER NOT NULL REFERENCES issuers (id),
    scope       TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    horizon     INTEGER NOT NULL, -- the last change it contains
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    PRIMARY KEY (issuer, scope)
);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    issuer  INTEGER NOT NULL,
    request INTEGER NOT NULL, -- 0: none
    digest  BLOB    NOT NULL, -- SHA-256 of what the entry is about, or empty
    detail  TEXT    NOT NULL,
    prev    BLOB    NOT NULL  -- SHA-256 of the row before
);

CREATE TABLE marks (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
);

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER revocations_no_update BEFORE UPDATE ON revocations BEGIN SELECT RAISE(ABORT, 'revocations are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER revocations_no_delete BEFORE DELETE ON revocations BEGIN SELECT RAISE(ABORT, 'revocations are append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER requests_no_delete BEFORE DELETE ON requests BEGIN SELECT RAISE(ABORT, 'requests stay, so that no serial is given twice'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER requests_keep_serial BEFORE UPDATE OF id, issuer, serial ON requests BEGIN SELECT RAISE(ABORT, 'a serial stays with its request'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates BEGIN SELECT RAISE(ABORT, 'certificates stay'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER certificates_only_open BEFORE INSERT ON certificates
WHEN EXISTS (SELECT 1 FROM requests WHERE id = NEW.id AND outcome IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'the request is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER crl_number_only_grows BEFORE UPDATE OF crl_number ON issuers WHEN NEW.crl_number < OLD.crl_number
BEGIN SELECT RAISE(ABORT, 'a CRL number never goes back'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER crl_state_only_grows BEFORE UPDATE ON crl_state WHEN NEW.number < OLD.number
BEGIN SELECT RAISE(ABORT, 'a CRL number never goes back'); END;
-- +goose StatementEnd
