//! The files of an instance, and of a custom volume.
//!
//! Owner, mode and kind of a file stand in headers, both ways: `X-LXD-uid`, `X-LXD-gid`, `X-LXD-mode` (octal),
//! `X-LXD-type` (`file`, `directory`, `symlink`), `X-LXD-modified`; `X-LXD-write` (`overwrite`, `append`) says how
//! one is written.

use crate::{
    Empty,
    Entity::{Instance as AnInstance, StorageVolume as AVolume},
    endpoints::{
        Permission::Can,
        Verb::{Edit, Operate},
    },
    query::{FileQuery, ProjectQuery},
};

endpoints! {
    /// Sends a file, where a link leads, or the names in a folder.
    InstanceFileGet: Get "/1.0/instances/{name}/files" since "", needs Can(Operate, AnInstance),
        Raw, FileQuery, Empty => String;

    /// Tells what a file is.
    InstanceFileHead: Head "/1.0/instances/{name}/files" since "", needs Can(Operate, AnInstance),
        Raw, FileQuery, Empty => String;

    /// Makes or writes a file, a folder or a link.
    InstanceFilePut: Post "/1.0/instances/{name}/files" since "", needs Can(Operate, AnInstance),
        Sync, FileQuery, Empty, + upload => Empty;

    /// Deletes a file, a link or an empty folder.
    InstanceFileDelete: Delete "/1.0/instances/{name}/files" since "file_delete", needs Can(Operate, AnInstance),
        Sync, FileQuery, Empty => Empty;

    /// Becomes an SFTP connection to the files.
    InstanceSftp: Get "/1.0/instances/{name}/sftp" since "", needs Can(Operate, AnInstance),
        Raw, ProjectQuery, Empty => String;

    /// Sends a file of a custom volume, where a link leads, or the names in a folder.
    VolumeFileGet: Get "/internal/storage-pools/{pool}/volumes/{type}/{volumeName}/files" since "",
        needs Can(Edit, AVolume), Raw, FileQuery, Empty => String;

    /// Tells what a file of a custom volume is.
    VolumeFileHead: Head "/internal/storage-pools/{pool}/volumes/{type}/{volumeName}/files" since "",
        needs Can(Edit, AVolume), Raw, FileQuery, Empty => String;

    /// Makes or writes a file, a folder or a link in a custom volume.
    VolumeFilePut: Post "/internal/storage-pools/{pool}/volumes/{type}/{volumeName}/files" since "",
        needs Can(Edit, AVolume), Sync, FileQuery, Empty, + upload => Empty;

    /// Deletes a file, a link or an empty folder of a custom volume.
    VolumeFileDelete: Delete "/internal/storage-pools/{pool}/volumes/{type}/{volumeName}/files" since "",
        needs Can(Edit, AVolume), Sync, FileQuery, Empty => Empty;
}
