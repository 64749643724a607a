-- Terminal sessions, live and past. Their devices and owners may be gone; what happened stays.
CREATE TABLE sessions (
    id               TEXT    NOT NULL PRIMARY KEY,
    device_id        TEXT    NOT NULL,
    owner_id         TEXT    NOT NULL,
    owner_email      TEXT    NOT NULL, -- at that time
    owner_address    TEXT,             -- from where it was opened
    plain_only       BOOLEAN NOT NULL, -- its only viewer so far cannot come back to it
    epoch            BIGINT  NOT NULL,
    restored         BOOLEAN NOT NULL, -- put back from an older copy; no epoch has begun since
    controller_id    TEXT,             -- who types in this epoch
    controller_email TEXT,
    controller_instance TEXT NOT NULL, -- the program they type in; empty for a plain one
    lossless         BOOLEAN NOT NULL, -- the device keeps what is not acknowledged
    rows             BIGINT,           -- size of the terminal, as last asked for
    cols             BIGINT,
    created_at       BIGINT  NOT NULL,
    started_at       BIGINT,           -- the device said that the shell runs
    detached_at      BIGINT,           -- the last viewer left
    stop_at          BIGINT,           -- it is to end; the device may not know yet
    stop_reason      TEXT,
    stop_text        TEXT,
    ended_at         BIGINT,
    end_reason       TEXT,
    exit_status      BIGINT,
    end_text         TEXT
);
CREATE INDEX sessions_live ON sessions (device_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_device ON sessions (device_id, created_at);
CREATE INDEX sessions_by_owner ON sessions (owner_id, created_at);

-- One row: which run of the server last wrote here. The recordings' folder holds the same word.
CREATE TABLE server_run (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    current  TEXT,
    next     TEXT  -- a run that begins; NULL once it has
);
INSERT INTO server_run (only_row) VALUES (1);
