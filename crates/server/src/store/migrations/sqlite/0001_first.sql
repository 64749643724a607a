-- Times are milliseconds since the Unix epoch. Identifiers are UUIDs as text.

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    email         TEXT   NOT NULL UNIQUE, -- lower case
    password_hash TEXT   NOT NULL,        -- PHC string
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    login_at      BIGINT
);

CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);

-- A user's token counts only while its row is here.
CREATE TABLE user_tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX user_tokens_by_user ON user_tokens (user_id, created_at);

CREATE TABLE devices (
    id            TEXT   NOT NULL PRIMARY KEY,
    identity      TEXT   NOT NULL UNIQUE, -- JSON object, keys sorted, no spaces
    status        TEXT   NOT NULL,        -- the strongest of its sets
    group_name    TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    checked_in_at BIGINT,                 -- last call with a valid token or signature
    link_at       BIGINT                  -- its link last came or went
);
CREATE INDEX devices_by_status ON devices (status, created_at);
CREATE INDEX devices_by_group ON devices (group_name);

CREATE TABLE auth_sets (
    id           TEXT   NOT NULL PRIMARY KEY,
    device_id    TEXT   NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    public_key   TEXT   NOT NULL, -- PEM SubjectPublicKeyInfo
    fingerprint  TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    requested_at BIGINT NOT NULL, -- the device last asked with this key
    accepted_at  BIGINT,          -- it was last let in; stays when it is turned away later
    address      TEXT,            -- from where it first asked
    UNIQUE (device_id, public_key)
);
CREATE INDEX auth_sets_by_status ON auth_sets (status, requested_at);
CREATE INDEX auth_sets_by_address ON auth_sets (address, status);

-- A device's token counts only while its row is here and its set is accepted.
CREATE TABLE device_tokens (
    id          TEXT   NOT NULL PRIMARY KEY,
    auth_set_id TEXT   NOT NULL REFERENCES auth_sets (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX device_tokens_by_set ON device_tokens (auth_set_id, created_at);

CREATE TABLE device_attributes (
    device_id   TEXT   NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    scope       TEXT   NOT NULL, -- identity, inventory or tags
    name        TEXT   NOT NULL,
    value       TEXT   NOT NULL, -- JSON
    value_text  TEXT   NOT NULL, -- what filters and sorting compare
    value_number DOUBLE PRECISION,
    description TEXT,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (device_id, scope, name)
);
CREATE INDEX device_attributes_by_value ON device_attributes (scope, name, value_text);

CREATE TABLE audit_events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    at          BIGINT NOT NULL,
    action      TEXT   NOT NULL,
    actor_type  TEXT   NOT NULL,
    actor_id    TEXT,
    actor_name  TEXT,
    object_type TEXT   NOT NULL,
    object_id   TEXT,
    address     TEXT,
    detail      TEXT   NOT NULL -- JSON object
);
CREATE INDEX audit_events_by_object ON audit_events (object_type, object_id, seq);
CREATE INDEX audit_events_by_actor ON audit_events (actor_id, seq);

CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are append only'); END;
CREATE TRIGGER audit_events_are_not_removed BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are append only'); END;
