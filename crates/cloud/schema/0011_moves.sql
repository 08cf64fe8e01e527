-- An instance that is on its way from one member to another: the other may take it only while the row has that number.
CREATE TABLE instances_moves (
    instance_id INTEGER PRIMARY KEY REFERENCES instances (id) ON DELETE CASCADE,
    number TEXT NOT NULL
) STRICT;
