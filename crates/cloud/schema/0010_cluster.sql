-- Several machines are one cloud. A member's number is its number in the store, and is never given twice: `members_numbers`
-- has the last one. What a member alone has of the server's options, and of pools, stands in tables of its own. `message`
-- says why a pool could not be made on a member.

ALTER TABLE members ADD COLUMN certificate TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN config TEXT NOT NULL DEFAULT '{}';
ALTER TABLE members ADD COLUMN failure_domain TEXT NOT NULL DEFAULT 'default';
ALTER TABLE members ADD COLUMN state TEXT NOT NULL DEFAULT 'ready';

CREATE TABLE members_numbers (
    last INTEGER NOT NULL
) STRICT;
INSERT INTO members_numbers VALUES (1);

CREATE TABLE members_server_config (
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (member_id, key)
) STRICT;
INSERT INTO members_server_config
    SELECT members.id, key, value FROM server_config, members
    WHERE key IN ('core.https_address', 'core.metrics_address',
        'core.storage_buckets_address');
DELETE FROM server_config WHERE key IN ('core.https_address', 'core.metrics_address',
        'core.storage_buckets_address');

CREATE TABLE storage_pools_members (
    pool_id INTEGER NOT NULL REFERENCES storage_pools (id) ON DELETE CASCADE,
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    config TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (pool_id, member_id)
) STRICT;
INSERT INTO storage_pools_members
    SELECT storage_pools.id, members.id,
        (SELECT json_group_object(key, value) FROM json_each(storage_pools.config) WHERE key IN ('source', 'source.wipe', 'source.encrypt', 'size', 'lvm.thinpool_name', 'lvm.vg_name',
            'lvm.vg.force_reuse', 'zfs.pool_name', 'volatile.initial_source', 'volatile.source.uuid', 'volatile.uuid')),
        storage_pools.state, ''
    FROM storage_pools, members;
UPDATE storage_pools SET config =
    (SELECT json_group_object(key, value) FROM json_each(storage_pools.config) WHERE key NOT IN ('source', 'source.wipe', 'source.encrypt', 'size', 'lvm.thinpool_name', 'lvm.vg_name',
            'lvm.vg.force_reuse', 'zfs.pool_name', 'volatile.initial_source', 'volatile.source.uuid', 'volatile.uuid'));

CREATE TABLE cluster_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL
) STRICT;
INSERT INTO cluster_groups (name, description) VALUES ('default', 'Default cluster group');

CREATE TABLE cluster_groups_members (
    group_id INTEGER NOT NULL REFERENCES cluster_groups (id) ON DELETE CASCADE,
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, member_id)
) STRICT;
INSERT INTO cluster_groups_members SELECT cluster_groups.id, members.id FROM cluster_groups, members;
