-- Backups of custom volumes and of buckets, as those of instances are.

CREATE TABLE volumes_backups (
    id INTEGER PRIMARY KEY,
    volume_id INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    volume_only INTEGER NOT NULL,
    optimized INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (volume_id, name)
) STRICT;

CREATE TABLE storage_buckets_backups (
    id INTEGER PRIMARY KEY,
    bucket_id INTEGER NOT NULL REFERENCES storage_buckets (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    bucket_only INTEGER NOT NULL,
    optimized INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (bucket_id, name)
) STRICT;
