-- The same three tables for SQLite. Keys of 16 bytes are the tables' own order (WITHOUT ROWID), which spares an index;
-- reservations are numbered by their row. The commands are in src/sqlite/sqlite_store.ts: the database runs in the
-- process of its caller, so a statement costs no round trip.

CREATE TABLE resources (
  id BLOB PRIMARY KEY,
  reservation INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE reservations (
  id INTEGER PRIMARY KEY,
  resource BLOB NOT NULL,
  holder BLOB NOT NULL,
  state INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE operations (
  id BLOB PRIMARY KEY,
  kind INTEGER NOT NULL,
  code INTEGER NOT NULL,
  resource BLOB,
  reservation INTEGER,
  holder BLOB NOT NULL,
  ttl_ms INTEGER
) STRICT, WITHOUT ROWID;
