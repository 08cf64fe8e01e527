-- Snapshots of instances. What they remember are names and JSON, not references: a profile may go while a snapshot
-- still names it. `expires_at` is empty where a snapshot stays until somebody deletes it.

CREATE TABLE instances_snapshots (
    id INTEGER PRIMARY KEY,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    architecture TEXT NOT NULL,
    config TEXT NOT NULL,
    devices TEXT NOT NULL,
    profiles TEXT NOT NULL,
    ephemeral INTEGER NOT NULL,
    stateful INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (instance_id, name)
) STRICT;
