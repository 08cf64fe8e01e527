-- What members could not do as asked. `entity` is the address of the thing it is about, empty for the member itself.

CREATE TABLE warnings (
    uuid TEXT PRIMARY KEY,
    member TEXT NOT NULL,
    project TEXT NOT NULL,
    entity TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_seen_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    message TEXT NOT NULL,
    UNIQUE (member, type, project, entity)
) STRICT;
