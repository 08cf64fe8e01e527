-- The certificate that all members of a cluster show clients, and the key to it, since it was replaced: each member
-- writes both to its files. One row at most; none as long as it is that of the first member.

CREATE TABLE cluster_certificate (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    certificate TEXT NOT NULL,
    key TEXT NOT NULL
) STRICT;
