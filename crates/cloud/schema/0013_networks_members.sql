-- What a member alone has of a network's options; and what members were told of a network before it is made, by its name.

CREATE TABLE networks_members (
    network_id INTEGER NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    config TEXT NOT NULL,
    PRIMARY KEY (network_id, member_id)
) STRICT;
INSERT INTO networks_members
    SELECT networks.id, members.id,
        (SELECT json_group_object(key, value) FROM json_each(networks.config) WHERE key IN ('bridge.external_interfaces', 'ipv4.nat.address', 'ipv6.nat.address'))
    FROM networks, members;
UPDATE networks SET config =
    (SELECT json_group_object(key, value) FROM json_each(networks.config) WHERE key NOT IN ('bridge.external_interfaces', 'ipv4.nat.address', 'ipv6.nat.address'));

CREATE TABLE networks_promised (
    name TEXT NOT NULL,
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    config TEXT NOT NULL,
    PRIMARY KEY (name, member_id)
) STRICT;
