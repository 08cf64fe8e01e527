-- level 8
CREATE TABLE members (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    architecture TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO "members" VALUES (1, 'pi', '', 'x86_64', '2026-11-28T02:00:00+00:00');
CREATE TABLE server_config (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "server_config" VALUES ('core.https_address', ':8443');
INSERT INTO "server_config" VALUES ('images.auto_update_interval', '0');
CREATE TABLE projects (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    config TEXT NOT NULL
) STRICT;
INSERT INTO "projects" VALUES (1, 'default', 'Default project', '{"features.images":"true"}');
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    devices TEXT NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
INSERT INTO "profiles" VALUES (1, 1, 'default', 'Default profile', '{}', '{}');
CREATE TABLE networks (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
CREATE TABLE storage_pools (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT;
INSERT INTO "storage_pools" VALUES (1, 'local', 'btrfs', '', '{"source":"/p.img","size":"9GiB","volatile.uuid":"u","user.note":"x"}', 'ready');
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    public INTEGER NOT NULL,
    auto_update INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    properties TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    uploaded_at TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (project_id, fingerprint)
) STRICT;
CREATE TABLE images_aliases (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    description TEXT NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
CREATE TABLE images_profiles (
    image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    PRIMARY KEY (image_id, profile_id)
) STRICT;
CREATE TABLE instances (
    id INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    architecture TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    devices TEXT NOT NULL,
    ephemeral INTEGER NOT NULL,
    stateful INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
INSERT INTO "instances" VALUES (1, 1, 1, 'web', 'container', 'x86_64', 'a web server', '{"user.note":"it''s kept","volatile.eth0.hwaddr":"00:16:3e:00:00:01"}', '{}', 0, 0, '2026-11-28T02:00:00+00:00', '2026-11-28T02:00:00+00:00', 'ready');
CREATE TABLE instances_profiles (
    instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    profile_id INTEGER NOT NULL REFERENCES profiles (id),
    position INTEGER NOT NULL,
    PRIMARY KEY (instance_id, position)
) STRICT;
INSERT INTO "instances_profiles" VALUES (1, 1, 0);
CREATE TABLE volumes (
    id INTEGER PRIMARY KEY,
    pool_id INTEGER NOT NULL REFERENCES storage_pools (id),
    project_id INTEGER NOT NULL REFERENCES projects (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'ready',
    UNIQUE (pool_id, project_id, member_id, type, name)
) STRICT;
INSERT INTO "volumes" VALUES (1, 1, 1, 1, 'container', 'web', 'filesystem', '', '{}', '2026-11-28T02:00:00+00:00', 'ready');
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
    state TEXT NOT NULL, scheduled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (instance_id, name)
) STRICT;
INSERT INTO "instances_snapshots" VALUES (1, 1, 'snap0', '', 'x86_64', '{"user.note":"it''s kept"}', '{}', '["default"]', 0, 0, '2026-11-28T03:00:00+00:00', '2026-11-28T02:00:00+00:00', '', 'ready', 0);
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
INSERT INTO "storage_buckets" VALUES (1, 1, 1, 1, 'photos', '', '{"size":"1GiB"}', '2026-11-28T03:00:00+00:00', 'ready');
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
CREATE TABLE volumes_snapshots (
    id INTEGER PRIMARY KEY,
    volume_id INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    state TEXT NOT NULL, scheduled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (volume_id, name)
) STRICT;
INSERT INTO "volumes_snapshots" VALUES (1, 1, 'snap0', '', '{}', '2026-11-28T03:00:00+00:00', '', 'ready', 0);
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
INSERT INTO "instances_backups" VALUES (1, 1, 'backup0', 1, 0, '2026-11-28T02:00:00+00:00', '2026-11-28T02:00:00+00:00', 'ready');
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
CREATE INDEX instances_profiles_profile ON instances_profiles (profile_id);
CREATE TABLE certificates (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    certificate TEXT NOT NULL,
    restricted INTEGER NOT NULL
) STRICT;

CREATE TABLE certificates_projects (
    certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (certificate_id, project_id)
) STRICT;
