-- +goose Up
-- No full scan is made before then: where many targets are new at once, their first grades are spread.
ALTER TABLE targets ADD COLUMN grade_from BIGINT NOT NULL DEFAULT 0;
