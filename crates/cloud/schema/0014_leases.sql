-- Members that run what lies in pools which all share by a lease. One that is fenced gets none: others may start what it had.

CREATE TABLE leases (
    member_id INTEGER PRIMARY KEY REFERENCES members (id) ON DELETE CASCADE,
    fenced INTEGER NOT NULL
) STRICT;
