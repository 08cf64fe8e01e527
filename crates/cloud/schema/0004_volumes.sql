-- Custom volumes are made in several steps, as other things are; the roots that are there are whole. Snapshots of
-- volumes remember what the volume was. `expires_at` is empty where one stays until somebody deletes it.

ALTER TABLE volumes ADD COLUMN state TEXT NOT NULL DEFAULT 'ready';

CREATE TABLE volumes_snapshots (
    id INTEGER PRIMARY KEY,
    volume_id INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (volume_id, name)
) STRICT;
