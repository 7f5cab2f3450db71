-- docs/sweeps.md describes these tables. Whoever changes one, or what `result` holds, raises SCHEMA in store.rs.

-- One row: which sweep the results are of.
CREATE TABLE sweep (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    config TEXT NOT NULL,
    identity TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    extrapolate INTEGER NOT NULL,
    systole TEXT NOT NULL,
    command TEXT NOT NULL,
    started TEXT NOT NULL
) STRICT;

CREATE TABLE inputs (
    path TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tools (
    name TEXT PRIMARY KEY,
    version TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE skipped (
    reason TEXT PRIMARY KEY,
    points INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE points (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    axes TEXT NOT NULL,
    evaluation TEXT,
    timing TEXT
) STRICT;

CREATE TABLE builds (
    point INTEGER NOT NULL REFERENCES points,
    place INTEGER NOT NULL,
    block TEXT NOT NULL,
    target TEXT NOT NULL,
    dsp INTEGER NOT NULL,
    work TEXT NOT NULL,
    PRIMARY KEY (point, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE owners (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process TEXT NOT NULL,
    systole TEXT NOT NULL,
    command TEXT NOT NULL,
    started TEXT NOT NULL,
    heartbeat REAL NOT NULL,
    ended TEXT
) STRICT;

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('evaluate', 'time', 'build')),
    work TEXT NOT NULL,
    seed INTEGER NOT NULL,
    point INTEGER NOT NULL REFERENCES points,
    place INTEGER,
    state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'done', 'refused', 'failed')),
    owner INTEGER REFERENCES owners,
    claims INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    reason TEXT,
    seconds REAL,
    UNIQUE (kind, work, seed)
) STRICT;

CREATE INDEX pending ON tasks (id) WHERE state = 'pending';
CREATE INDEX claimed ON tasks (owner) WHERE state = 'claimed';
