//! Folders of the host that the guest mounts by their tags (virtiofs).
//!
//! A share is a folder that is mounted into QEMU's container, a `virtiofsd` that runs beside QEMU there, and a
//! device that QEMU connects the two by. So it is as confined as QEMU is, and lives as long.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{
    Call, Error, Qmp, Result,
    confine::IO,
    hardware::{absent_is_fine, node, place, plain, remove_device},
};

/// Where the folders are, for `virtiofsd`.
const PLACE: &str = "/run/vm/shares";

/// The program that serves a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Virtiofsd {
    /// The one in Rust: Debian 13, Ubuntu 24.04, Fedora, Arch.
    Current(&'static str),
    /// The one in C that came with QEMU up to 7.2: Debian 12.
    Former(&'static str),
}

const PROGRAMS: [Virtiofsd; 3] = [
    Virtiofsd::Current("/usr/libexec/virtiofsd"),
    Virtiofsd::Current("/usr/lib/virtiofsd"),
    Virtiofsd::Former("/usr/lib/qemu/virtiofsd"),
];

impl Virtiofsd {
    /// The one that is installed here.
    ///
    /// # Errors
    /// [`Error::NoVirtiofsd`] where there is none.
    pub fn find() -> Result<Virtiofsd> {
        let there = |it: &Virtiofsd| Path::new(it.path()).is_file();
        PROGRAMS.into_iter().find(there).ok_or(Error::NoVirtiofsd)
    }

    fn path(self) -> &'static str {
        match self {
            Virtiofsd::Current(path) | Virtiofsd::Former(path) => path,
        }
    }

    /// Program and arguments for the folder of a device. What confines it is there around it: nothing else of the
    /// host is to be seen where it runs.
    pub fn command(self, device: &str, threads: u32) -> Vec<String> {
        let (socket, folder) = (share_socket(device), share_place(device).display().to_string());
        let socket = format!("--socket-path={IO}/{socket}");
        let options = match self {
            Virtiofsd::Current(_) => vec![
                format!("--shared-dir={folder}"),
                "--sandbox=none".to_owned(),
                "--cache=auto".to_owned(),
                "--xattr".to_owned(),
                "--posix-acl".to_owned(),
                "--announce-submounts".to_owned(),
            ],
            Virtiofsd::Former(_) => {
                let options = "cache=auto,xattr,posix_acl,announce_submounts,sandbox=chroot";
                vec!["-f".to_owned(), "-o".to_owned(), format!("source={folder},{options}")]
            }
        };
        let threads = format!("--thread-pool-size={threads}");
        [self.path().to_owned(), socket, threads].into_iter().chain(options).collect()
    }
}

/// Where a device's folder is mounted for `virtiofsd`.
pub fn share_place(device: &str) -> PathBuf {
    Path::new(PLACE).join(node(device))
}

/// The socket of a device's `virtiofsd`, in [`crate::IO`].
pub fn share_socket(device: &str) -> String {
    format!("{}.fs", node(device))
}

/// What the guest mounts a device's folder by: 36 bytes at most (virtio 1.2, 5.11.4).
pub fn share_tag(device: &str) -> String {
    if plain(device) && device.len() <= 32 { format!("lxd_{device}") } else { node(device) }
}

/// Plugs the folder of a device, whose `virtiofsd` listens.
///
/// # Errors
/// There is no place for another card, or QEMU refuses it; then it is as before.
pub async fn add_share(qmp: &Qmp, device: &str) -> Result<()> {
    let node = node(device);
    let bus = place(qmp, &node, &crate::Layout::default()).await?;
    let path = format!("{IO}/{}", share_socket(device));
    let address = json!({ "type": "unix", "data": { "path": path } });
    let backend = json!({ "type": "socket", "data": { "addr": address, "server": false } });
    // A folder that vanished from the host was taken out as if it had been a disk, and left this.
    remove_line(qmp, &node).await?;
    qmp.call(Call::new("chardev-add").with("id", &*node).with("backend", backend)).await?;
    let card = Call::new("device_add")
        .with("driver", "vhost-user-fs-pci")
        .with("id", &*node)
        .with("chardev", &*node)
        .with("tag", share_tag(device))
        .with("bus", bus);
    if let Err(error) = qmp.call(card).await {
        remove_line(qmp, &node).await?;
        return Err(error);
    }
    Ok(())
}

/// Unplugs it, once the guest has let go of it; one that is not there is Ok. Its `virtiofsd` ends then.
///
/// # Errors
/// The guest does not let go of it, or QEMU refuses.
pub async fn remove_share(qmp: &Qmp, device: &str) -> Result<()> {
    let node = node(device);
    remove_device(qmp, &node, device).await?;
    remove_line(qmp, &node).await
}

async fn remove_line(qmp: &Qmp, node: &str) -> Result<()> {
    absent_is_fine(qmp.call(Call::new("chardev-remove").with("id", node)).await)
}
