-- Buckets of objects, and the keys to them. A name is one bucket of a member, whatever its pool and project, as an S3
-- client names no more than that. An access key says alone which bucket it opens.

CREATE TABLE storage_buckets (
    id INTEGER PRIMARY KEY,
    pool_id INTEGER NOT NULL REFERENCES storage_pools (id),
    project_id INTEGER NOT NULL REFERENCES projects (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (member_id, name)
) STRICT;

CREATE TABLE storage_buckets_keys (
    id INTEGER PRIMARY KEY,
    bucket_id INTEGER NOT NULL REFERENCES storage_buckets (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    role TEXT NOT NULL,
    access_key TEXT NOT NULL UNIQUE,
    secret_key TEXT NOT NULL,
    UNIQUE (bucket_id, name)
) STRICT;
