-- Snapshots that a schedule took: only those does a retention rule delete.

ALTER TABLE instances_snapshots ADD COLUMN scheduled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE volumes_snapshots ADD COLUMN scheduled INTEGER NOT NULL DEFAULT 0;
