-- +goose Up
-- What is old is found without reading all that is kept.
CREATE INDEX days_by_day ON days (day);
CREATE INDEX changes_outages ON changes (at) WHERE field = 'outcome';

-- How bad an incident is beside one target, without reading the others.
CREATE INDEX affected_worst ON affected (incident, active, target);
