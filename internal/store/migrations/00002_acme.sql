-- +goose Up
-- Clients that order certificates over ACME. What only the ACME server looks into is
-- JSON in body; columns are what is searched for.
CREATE TABLE acme_accounts (
    id         TEXT    PRIMARY KEY,
    directory  TEXT    NOT NULL,
    thumbprint BLOB    NOT NULL, -- of the key, RFC 7638
    status     TEXT    NOT NULL,
    key        BLOB    NOT NULL, -- JWK
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (directory, thumbprint)
);

-- Keys by which accounts are bound to customers (RFC 8555, Section 7.3.4).
CREATE TABLE acme_bindings (
    kid        TEXT    PRIMARY KEY,
    directory  TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    account    TEXT    NOT NULL, -- '': not used yet
    body       BLOB    NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE acme_authorizations (
    id         TEXT    PRIMARY KEY,
    account    TEXT    NOT NULL,
    identifier TEXT    NOT NULL, -- with the star of a wildcard
    status     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL, -- when somebody is to take a validation up; 0: nothing to do
    body       BLOB    NOT NULL
);
CREATE INDEX acme_authorizations_usable ON acme_authorizations (account, identifier, expires_at);
CREATE INDEX acme_authorizations_due ON acme_authorizations (due_at) WHERE due_at > 0;

CREATE TABLE acme_orders (
    id         TEXT    PRIMARY KEY,
    seq        INTEGER NOT NULL, -- within the account, for pages
    account    TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL, -- when somebody is to take the issuing up; 0: nothing to do
    serial     TEXT    NOT NULL, -- of the certificate, hexadecimal; '': none
    body       BLOB    NOT NULL
);
CREATE INDEX acme_orders_of_account ON acme_orders (account, seq);
CREATE INDEX acme_orders_due ON acme_orders (due_at) WHERE due_at > 0;
CREATE INDEX acme_orders_serial ON acme_orders (serial) WHERE serial <> '';

-- Certificates that an order has replaced (RFC 9773, Section 5): each once.
CREATE TABLE acme_replaced (
    certificate TEXT PRIMARY KEY, -- its identifier of RFC 9773
    replacement TEXT NOT NULL     -- the order
);

-- What all nodes must know and nobody else.
CREATE TABLE acme_secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
