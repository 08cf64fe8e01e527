//! Where a daemon keeps what: the folders beneath its state folder.

use std::{
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The state folder of one daemon (`$MICROCLOUD_DIR`, else `/var/lib/microcloud`).
#[derive(Clone, Debug)]
pub struct Dirs {
    root: PathBuf,
}

impl Dirs {
    /// Names the folders beneath `root`; makes nothing.
    pub fn new(root: impl Into<PathBuf>) -> Dirs {
        Dirs { root: root.into() }
    }

    /// Makes the folders that are missing. The root is open to pass through (the socket is in it),
    /// all else is for root alone; a container's user maps onto a foreign uid and must reach its
    /// root file system, so the pools too can be passed through.
    pub fn make(&self) -> io::Result<()> {
        for (path, mode) in [
            (self.root.clone(), 0o711),
            (self.database(), 0o700),
            (self.pools(), 0o711),
            (self.images(), 0o700),
            (self.backups().join("instances"), 0o700),
            (self.backups().join("custom"), 0o700),
            (self.backups().join("buckets"), 0o700),
            (self.networks(), 0o711),
            (self.runs(), 0o711),
            (self.machines(), 0o711),
            (self.guests(), 0o700),
            (self.logs(), 0o700),
            (self.cache(), 0o700),
        ] {
            std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
        }
        Ok(())
    }

    /// The state folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The API's socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("unix.socket")
    }

    /// The replicated state.
    pub fn database(&self) -> PathBuf {
        self.root.join("database")
    }

    /// The database of a cluster that is being joined.
    pub fn joining_database(&self) -> PathBuf {
        self.root.join("database.joining")
    }

    /// The database that was there before a cluster was joined, for the moment that the renaming takes.
    pub fn alone_database(&self) -> PathBuf {
        self.root.join("database.alone")
    }

    /// There while the server was removed from its cluster and has not begun anew.
    pub fn left_cluster(&self) -> PathBuf {
        self.root.join("left-cluster")
    }

    /// There while the server is to go on without the members that were lost.
    pub fn recovering(&self) -> PathBuf {
        self.root.join("recovering")
    }

    /// A database and what belongs to it, which are about to take the place of those that are there.
    pub(crate) fn restoring(&self) -> PathBuf {
        self.root.join("restoring")
    }

    /// Which instances were started and stopped while no majority was there to note it.
    pub fn powers(&self) -> PathBuf {
        self.root.join("powers.json")
    }

    /// The certificate that all members of a cluster show clients.
    pub fn cluster_certificate(&self) -> PathBuf {
        self.root.join("cluster.crt")
    }

    /// The key to it.
    pub fn cluster_key(&self) -> PathBuf {
        self.root.join("cluster.key")
    }

    /// What concerns this machine alone: the journal of tasks.
    pub fn local_db(&self) -> PathBuf {
        self.root.join("local.db")
    }

    /// The certificate of the authority that clients are known by, if somebody put one there.
    pub fn authority(&self) -> PathBuf {
        self.root.join("server.ca")
    }

    /// What that authority revoked.
    pub fn revoked(&self) -> PathBuf {
        self.root.join("ca.crl")
    }

    /// The certificate that the server shows its clients.
    pub fn server_certificate(&self) -> PathBuf {
        self.root.join("server.crt")
    }

    /// The key to it.
    pub fn server_key(&self) -> PathBuf {
        self.root.join("server.key")
    }

    /// The boot of the machine in which the instances that should run were started.
    pub fn boot_id(&self) -> PathBuf {
        self.root.join("boot_id")
    }

    fn pools(&self) -> PathBuf {
        self.root.join("storage-pools")
    }

    /// The keys of encrypted storage pools, named by the pools' identities.
    pub fn keys(&self) -> PathBuf {
        self.root.join("storage-keys")
    }

    /// The folder of one storage pool.
    pub fn pool(&self, name: &str) -> PathBuf {
        self.pools().join(name)
    }

    /// Image files as they were imported, named by fingerprint; unless they are on a volume ([`crate::depots`]).
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// The backups, in a folder for each kind of owner: `instances`, `custom`, `buckets`; unless they are on a volume
    /// ([`crate::depots`]).
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    fn networks(&self) -> PathBuf {
        self.root.join("networks")
    }

    /// The leases of one network.
    pub fn network(&self, name: &str) -> PathBuf {
        self.networks().join(name)
    }

    fn runs(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The monitor's socket and exit file of one instance.
    pub fn run(&self, id: &str) -> PathBuf {
        self.runs().join(id)
    }

    /// What QEMU sees of all virtual machines.
    pub(crate) fn machines(&self) -> PathBuf {
        self.root.join("machines")
    }

    /// What QEMU sees of one virtual machine's: its root, its sockets.
    pub fn machine(&self, id: &str) -> PathBuf {
        self.machines().join(id)
    }

    fn guests(&self) -> PathBuf {
        self.root.join("devlxd")
    }

    /// What a container sees as `/dev/lxd`: a folder with its socket.
    pub fn devlxd(&self, id: &str) -> PathBuf {
        self.guests().join(id)
    }

    fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The logs of one instance.
    pub fn log(&self, id: &str) -> PathBuf {
        self.logs().join(id)
    }

    /// Uploads and builds under way; emptied at start.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }
}
