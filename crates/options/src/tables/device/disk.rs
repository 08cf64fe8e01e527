//! Disks.

use std::collections::BTreeMap;

use crate::{AbsolutePath, Bounded, DiskRate, List, Options, Problem, Size, values::choice};

choice! {
    /// What a disk of a virtual machine is plugged into.
    pub enum DiskBus { VirtioScsi = "virtio-scsi", VirtioBlk = "virtio-blk", Nvme = "nvme" }
}
choice! {
    /// What of this machine's memory stands before a disk of a virtual machine.
    pub enum DiskCache { None = "none", Writeback = "writeback", Unsafe = "unsafe" }
}

choice! {
    /// Whether mounts of the host go on into a container.
    pub enum Propagation {
        Private = "private", Rprivate = "rprivate", Slave = "slave", Rslave = "rslave",
        Shared = "shared", Rshared = "rshared",
    }
}
choice! {
    /// A flag of a mount (mount(8)).
    pub enum MountFlag {
        Defaults = "defaults", ReadOnly = "ro", Writable = "rw", NoSuid = "nosuid", Suid = "suid",
        NoDev = "nodev", Dev = "dev", NoExec = "noexec", Exec = "exec", NoAtime = "noatime",
        NoDirAtime = "nodiratime", RelAtime = "relatime", NoSymFollow = "nosymfollow",
    }
}

/// Options of a disk: the root of an instance, a custom volume, or a path of the host.
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "device-disk", group = "device-conf", check = Self::consistent)]
pub struct Disk {
    /// Where the disk is mounted in the instance.
    ///
    /// The root disk has `/`.
    #[option(key = "path")]
    pub path: Option<AbsolutePath>,
    /// Storage pool that the volume is in.
    #[option(key = "pool")]
    pub pool: Option<String>,
    /// Volume of the pool, or path on the host.
    ///
    /// A volume may have a path within it behind a slash. A virtual machine can have `agent:config`, a disc
    /// with its agent, and `cloud-init:config`, one with what its cloud-init is told.
    #[option(key = "source")]
    pub source: Option<String>,
    /// Size of the root disk.
    #[option(key = "size", condition = "root disk")]
    pub size: Option<Size>,
    /// Bytes that the kept memory of a virtual machine may take; no limit otherwise.
    #[option(key = "size.state", condition = "virtual machine")]
    pub size_state: Option<Size>,
    /// Whether the instance may only read it.
    #[option(key = "readonly", default = "false")]
    pub readonly: bool,
    /// Whether mounts beneath a path of the host come along.
    #[option(key = "recursive", default = "false")]
    pub recursive: bool,
    /// Whether what the host mounts beneath a path later appears in a container, too.
    ///
    /// With `slave`, `rslave`, `shared` and `rshared` it does. What a container mounts never
    /// appears on the host.
    #[option(key = "propagation", default = "private", condition = "container")]
    pub propagation: Propagation,
    /// Flags that the mount has in a container.
    ///
    /// Such as `noexec,nosuid`. What is in a folder decides its file system, so options of one
    /// are none here.
    #[option(key = "raw.mount.options", condition = "container")]
    pub raw_mount_options: Option<List<MountFlag>>,
    /// Snapshot of the volume; it can be read only.
    #[option(key = "source.snapshot", condition = "custom volume")]
    pub source_snapshot: Option<String>,
    /// Whether the instance fails to start without it.
    #[option(key = "required", default = "true")]
    pub required: bool,
    /// Order in which a virtual machine tries to boot: the highest first.
    #[option(key = "boot.priority", condition = "virtual machine")]
    pub boot_priority: Option<u32>,
    /// What a virtual machine sees the disk on.
    #[option(key = "io.bus", default = "virtio-scsi", condition = "virtual machine")]
    pub io_bus: DiskBus,
    /// Whether writes of a virtual machine go by this machine's cache.
    ///
    /// With `writeback` and `none` what the guest has flushed is on disk; `none` keeps nothing
    /// in this machine's memory. With `unsafe` a power cut loses what the guest has flushed.
    #[option(key = "io.cache", default = "writeback", condition = "virtual machine")]
    pub io_cache: DiskCache,
    /// How many threads serve a virtual machine a folder.
    ///
    /// 0: each of its requests is served by who takes it in, which is the fastest for most.
    #[option(
        key = "io.threads",
        default = "0",
        condition = "virtual machine",
        since = "disk_io_threads_virtiofsd"
    )]
    pub io_threads: Bounded<0, 1024>,
    /// How much may be read and written each, in bytes or operations per second.
    #[option(key = "limits.max", condition = "virtual machine")]
    pub limits_max: Option<DiskRate>,
    /// How much may be read, in bytes or operations per second.
    #[option(key = "limits.read", condition = "virtual machine")]
    pub limits_read: Option<DiskRate>,
    /// How much may be written, in bytes or operations per second.
    #[option(key = "limits.write", condition = "virtual machine")]
    pub limits_write: Option<DiskRate>,
    /// Options that the root's volume gets when it is made.
    ///
    /// Such as `initial.zfs.block_mode`. They count whenever it is made: of an image, as a copy, from a
    /// backup, in another pool.
    #[option(pattern = "initial.*", condition = "root disk")]
    pub initial: BTreeMap<String, String>,
    /// Whether owners are shown in the ids of the instance.
    ///
    /// Then files of root on the host are files of root in the instance.
    #[option(key = "shift", default = "false", condition = "container")]
    pub shift: bool,
}

/// What is behind a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskSource<'a> {
    /// The root volume of the instance in this pool.
    Root {
        /// The pool.
        pool: &'a str,
    },
    /// A custom volume of this pool, or a path within it.
    Volume {
        /// The pool.
        pool: &'a str,
        /// The volume.
        volume: &'a str,
        /// The path within the volume, without a slash first.
        path: Option<&'a str>,
    },
    /// A path of the host.
    Host(&'a str),
    /// What the server itself has for a virtual machine's guest.
    Drive(Drive),
}

/// What the server itself has for a virtual machine's guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// A disc with the agent: `agent:config`.
    Agent,
    /// A disc for cloud-init: `cloud-init:config`.
    CloudInit,
}

impl Drive {
    fn of(source: &str) -> Option<Drive> {
        match source {
            "agent:config" => Some(Drive::Agent),
            "cloud-init:config" => Some(Drive::CloudInit),
            _ => None,
        }
    }
}

impl Disk {
    /// Whether this is the root disk: mounted on `/`, in a pool, with no source.
    pub fn is_root(&self) -> bool {
        matches!(self.origin(), Some(DiskSource::Root { .. }))
    }

    /// How much may be read and how much written; `limits.max` stands for both.
    pub fn rates(&self) -> (Option<DiskRate>, Option<DiskRate>) {
        (self.limits_read.or(self.limits_max), self.limits_write.or(self.limits_max))
    }

    /// What is behind the disk; None when the options do not say, which parsing refuses.
    pub fn origin(&self) -> Option<DiskSource<'_>> {
        match (self.pool.as_deref(), self.source.as_deref()) {
            (Some(pool), None) => self.is_on_slash().then_some(DiskSource::Root { pool }),
            (Some(pool), Some(source)) => {
                let (volume, path) =
                    source.split_once('/').map_or((source, None), |(v, p)| (v, Some(p)));
                Some(DiskSource::Volume { pool, volume, path })
            }
            (None, Some(source)) => {
                let drive = Drive::of(source).map(DiskSource::Drive);
                Some(drive.unwrap_or(DiskSource::Host(source)))
            }
            (None, None) => None,
        }
    }

    /// Whether what the host mounts beneath it later appears inside, too.
    pub fn follows(&self) -> bool {
        !matches!(self.propagation, Propagation::Private | Propagation::Rprivate)
    }

    /// The flags of its mount.
    pub fn flags(&self) -> &[MountFlag] {
        self.raw_mount_options.as_ref().map_or(&[], |flags| &flags.0)
    }

    fn is_on_slash(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.as_path() == "/")
    }

    fn consistent(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        // A volume that is a disk has none; what it is, the options do not say.
        let needs_none =
            matches!(self.origin(), Some(DiskSource::Volume { .. } | DiskSource::Drive(_)));
        if self.path.is_none() && !needs_none {
            problems.push(Problem::missing(
                "path",
                "the mount point in the instance, / for the root disk",
            ));
        }
        match self.origin() {
            None if self.is_on_slash() => {
                problems.push(Problem::missing("pool", "the storage pool of the root disk"));
            }
            None => problems
                .push(Problem::missing("source", "a volume of the pool or a path of the host")),
            Some(DiskSource::Host(path)) if !path.starts_with('/') => {
                problems.push(Problem::invalid(
                    "source",
                    path,
                    "a path that starts with /, agent:config, or a volume and its pool",
                ));
            }
            Some(DiskSource::Volume { path: Some(path), .. }) if climbs(path) => {
                let allowed = "a path within the volume, without .. in it";
                problems.push(Problem::invalid("source", path, allowed));
            }
            Some(_) => {}
        }
        let of_volume = matches!(self.origin(), Some(DiskSource::Volume { .. }));
        if self.source_snapshot.is_some() && !of_volume {
            problems.push(Problem::conflict("source.snapshot", "needs a pool and a volume of it"));
        }
        if self.follows() && !matches!(self.origin(), Some(DiskSource::Host(_))) {
            problems
                .push(Problem::conflict("propagation", "can only be set on a path of the host"));
        }
        if self.is_on_slash() && self.source.is_some() {
            problems.push(Problem::conflict("source", "cannot be set on a disk whose path is /"));
        }
        if self.size.is_some() && !self.is_on_slash() {
            problems.push(Problem::conflict("size", "can only be set on the root disk"));
        }
        if let Some(key) = self.initial.keys().next().filter(|_| !self.is_on_slash()) {
            let key = format!("initial.{key}");
            problems.push(Problem::conflict(&key, "can only be set on the root disk"));
        }
        problems
    }
}

fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
