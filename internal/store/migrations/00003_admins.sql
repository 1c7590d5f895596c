-- +goose Up
-- Who may act over the admin API: each certificate by which somebody comes. Rows stay, so that the audit log can be read
-- together with them.
CREATE TABLE admins (
    digest     BLOB    PRIMARY KEY, -- SHA-256 of the certificate
    name       TEXT    NOT NULL,
    roles      TEXT    NOT NULL,    -- with commas between them
    not_after  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER NOT NULL     -- 0: may act
);
