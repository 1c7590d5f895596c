-- +goose Up
-- Times are milliseconds since 1970; 0 is never. JSON is in columns that only the program looks into.
CREATE TABLE targets (
    name       TEXT    PRIMARY KEY,
    spec       TEXT    NOT NULL,           -- JSON
    origin     TEXT    NOT NULL,           -- "file" or "person"
    next_at    BIGINT  NOT NULL,
    held_until BIGINT  NOT NULL DEFAULT 0, -- somebody looks at it until then
    holder     TEXT    NOT NULL DEFAULT '',
    last_at    BIGINT  NOT NULL DEFAULT 0,
    state      BIGINT  NOT NULL DEFAULT 1,
    reason     TEXT    NOT NULL DEFAULT '',
    leaf_ends  BIGINT  NOT NULL DEFAULT 0,
    path_ends  BIGINT  NOT NULL DEFAULT 0,
    sent_ends  BIGINT  NOT NULL DEFAULT 0,
    grade      TEXT    NOT NULL DEFAULT '',
    graded_at  BIGINT  NOT NULL DEFAULT 0,
    places     BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX targets_due ON targets (next_at);
CREATE INDEX targets_urgency ON targets (state DESC, leaf_ends, name);

-- What each place of a target showed last.
CREATE TABLE places (
    target   TEXT   NOT NULL,
    place    TEXT   NOT NULL,
    seen_at  BIGINT NOT NULL,
    since    BIGINT NOT NULL, -- unchanged since then
    state    BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    digest   TEXT   NOT NULL, -- of body, but for its times
    body     TEXT   NOT NULL, -- the observation, JSON
    answered TEXT   NOT NULL, -- the last one that was answered, where body is not; else ''
    PRIMARY KEY (target, place)
);

CREATE TABLE changes (
    id     TEXT   PRIMARY KEY, -- ascending with time
    target TEXT   NOT NULL,
    place  TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    field  TEXT   NOT NULL,
    was    TEXT   NOT NULL,
    is_now TEXT   NOT NULL
);
CREATE INDEX changes_by_target ON changes (target, id);
CREATE INDEX changes_by_time ON changes (at);

CREATE TABLE looks (
    target    TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    state     BIGINT NOT NULL,
    took      BIGINT NOT NULL, -- microseconds
    leaf_ends BIGINT NOT NULL,
    PRIMARY KEY (target, at)
);
CREATE INDEX looks_by_time ON looks (at);

-- The days of a target, in UTC.
CREATE TABLE days (
    target    TEXT   NOT NULL,
    day       BIGINT NOT NULL, -- milliseconds of its beginning
    looks     BIGINT NOT NULL,
    bad       BIGINT NOT NULL, -- that were neither OK nor WARNING
    worst     BIGINT NOT NULL,
    took      BIGINT NOT NULL, -- microseconds, all together
    leaf_ends BIGINT NOT NULL, -- of the last look
    PRIMARY KEY (target, day)
);

CREATE TABLE certificates (
    fingerprint TEXT   PRIMARY KEY,
    subject     TEXT   NOT NULL,
    names       TEXT   NOT NULL, -- lower case, a space before and behind each
    not_after   BIGINT NOT NULL,
    first_seen  BIGINT NOT NULL,
    last_seen   BIGINT NOT NULL,
    body        TEXT   NOT NULL -- JSON
);
CREATE INDEX certificates_by_end ON certificates (not_after, fingerprint);

CREATE TABLE sightings (
    fingerprint TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    place       TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    first_seen  BIGINT NOT NULL,
    last_seen   BIGINT NOT NULL,
    PRIMARY KEY (fingerprint, target, place)
);
CREATE INDEX sightings_by_target ON sightings (target, place);

CREATE TABLE incidents (
    row_id   TEXT   PRIMARY KEY,
    id       TEXT   NOT NULL, -- '': not told yet
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    open     BIGINT NOT NULL, -- 1 or 0
    severity BIGINT NOT NULL,
    opened   BIGINT NOT NULL,
    changed  BIGINT NOT NULL,
    resolved BIGINT NOT NULL,
    body     TEXT   NOT NULL  -- JSON, but for the targets
);
CREATE UNIQUE INDEX incidents_open ON incidents (kind, subject) WHERE open = 1;
CREATE INDEX incidents_by_id ON incidents (id);
CREATE INDEX incidents_by_time ON incidents (open, opened);

CREATE TABLE affected (
    incident TEXT   NOT NULL, -- row_id
    target   TEXT   NOT NULL,
    active   BIGINT NOT NULL,
    body     TEXT   NOT NULL, -- JSON
    PRIMARY KEY (incident, target)
);
CREATE INDEX affected_by_target ON affected (target);

CREATE TABLE notices (
    id       TEXT   PRIMARY KEY,
    incident TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT   NOT NULL -- JSON
);
CREATE INDEX notices_by_incident ON notices (incident, at);

CREATE TABLE deliveries (
    notice       TEXT   NOT NULL,
    channel      TEXT   NOT NULL,
    due_at       BIGINT NOT NULL, -- 0: nothing to do any more
    held_until   BIGINT NOT NULL DEFAULT 0,
    tries        BIGINT NOT NULL DEFAULT 0,
    trouble      TEXT   NOT NULL DEFAULT '',
    delivered_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (notice, channel)
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at > 0;

CREATE TABLE silences (
    id      TEXT   PRIMARY KEY,
    from_at BIGINT NOT NULL,
    to_at   BIGINT NOT NULL,
    body    TEXT   NOT NULL
);

-- Nodes, and other things of which there is one.
CREATE TABLE facts (
    name    TEXT   PRIMARY KEY,
    value   TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
