-- +goose Up
-- As SQLite's migration 00003.
CREATE TABLE admins (
    digest     BYTEA  PRIMARY KEY,
    name       TEXT   NOT NULL,
    roles      TEXT   NOT NULL,
    not_after  BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT NOT NULL
);
