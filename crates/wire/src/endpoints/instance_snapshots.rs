//! Snapshots of instances. Who may change the instance may change them.

use crate::{
    Empty,
    Entity::Instance as AnInstance,
    InstanceSnapshot, InstanceSnapshotPost, InstanceSnapshotPut, InstanceSnapshotsPost, Listing,
    Operation, Patch,
    endpoints::{
        Permission::Can,
        Verb::{Edit, View},
    },
    query::{ListQuery, ProjectQuery},
};

endpoints! {
    /// Lists the snapshots of an instance, the oldest first.
    SnapshotsList: Get "/1.0/instances/{name}/snapshots" since "instances", needs Can(View, AnInstance),
        Sync, ListQuery, Empty => Listing<InstanceSnapshot>;

    /// Takes a snapshot of an instance; one that runs is paused meanwhile.
    SnapshotCreate: Post "/1.0/instances/{name}/snapshots" since "instances", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceSnapshotsPost => Operation;

    /// Shows a snapshot.
    SnapshotGet: Get "/1.0/instances/{name}/snapshots/{snapshot}" since "instances", needs Can(View, AnInstance),
        Sync, ProjectQuery, Empty => InstanceSnapshot;

    /// Changes when a snapshot is deleted by itself.
    SnapshotReplace: Put "/1.0/instances/{name}/snapshots/{snapshot}" since "snapshot_expiry", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceSnapshotPut => Operation;

    /// Changes a part of a snapshot.
    SnapshotPatch: Patch "/1.0/instances/{name}/snapshots/{snapshot}" since "instances", needs Can(Edit, AnInstance),
        Async, ProjectQuery, Patch<InstanceSnapshotPut> => Operation;

    /// Renames a snapshot.
    SnapshotRename: Post "/1.0/instances/{name}/snapshots/{snapshot}" since "instances", needs Can(Edit, AnInstance),
        Async, ProjectQuery, InstanceSnapshotPost => Operation;

    /// Deletes a snapshot.
    SnapshotDelete: Delete "/1.0/instances/{name}/snapshots/{snapshot}" since "instances", needs Can(Edit, AnInstance),
        Async, ProjectQuery, Empty => Operation;
}
