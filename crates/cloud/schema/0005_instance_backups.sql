-- Backups of instances: files that wait to be fetched. `expires_at` is empty where one stays until somebody deletes it.

CREATE TABLE instances_backups (
    id INTEGER PRIMARY KEY,
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    instance_only INTEGER NOT NULL,
    optimized INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (instance_id, name)
) STRICT;
