//! What every machine is handed: a drive with the agent, how to install it, and what the machine is to know.
//!
//! It is there twice: as a folder that the guest mounts by 9p (tag [`TAG`], which loaders in images made for
//! LXD look for), and as a disc (label [`LABEL`]) for kernels without 9p. Both have the same files.

mod iso;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub use iso::write as write_disc;

/// The tag of the folder.
pub const TAG: &str = "config";
/// The label of the disc.
pub const LABEL: &str = "microcloud-agent";
/// The label of a disc with what cloud-init is told, by which it is found (cloud-init's `NoCloud`).
pub const SEED_LABEL: &str = "cidata";
/// The folder of the same on the drive.
const SEED_FOLDER: &str = "cloud-init";
/// The agent, by the name that loaders made for LXD start.
pub const AGENT: &str = "lxd-agent";
/// Where [`SETUP`] is in a guest.
pub const SETUP_PATH: &str = "usr/local/lib/microcloud/agent-setup";

/// Mounts the drive in a guest and copies it; run before the agent.
pub const SETUP: &str = include_str!("guest/agent-setup");
/// systemd's unit of the agent.
pub const SERVICE: &str = include_str!("guest/microcloud-agent.service");
/// Starts that unit when the agent's port is found.
pub const RULES: &str = include_str!("guest/99-microcloud-agent.rules");
const INSTALL: &str = include_str!("guest/install.sh");

/// A file of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it is, at most one folder deep.
    pub path: String,
    /// Whether it is a program.
    pub executable: bool,
    /// What is in it.
    pub body: Body,
}

/// What is in a file of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// This.
    Bytes(Vec<u8>),
    /// What is in this file of the host.
    Copy(PathBuf),
}

impl Item {
    /// A text.
    pub fn text(path: &str, text: &str) -> Item {
        Item { path: path.to_owned(), executable: false, body: Body::Bytes(text.into()) }
    }

    fn script(path: &str, text: &str) -> Item {
        Item { executable: true, ..Item::text(path, text) }
    }

    /// A program of the host's.
    fn program(path: &str, from: &Path) -> Item {
        Item { path: path.to_owned(), executable: true, body: Body::Copy(from.to_owned()) }
    }

    fn open(&self) -> io::Result<(u64, Box<dyn io::Read + '_>)> {
        match &self.body {
            Body::Bytes(bytes) => Ok((bytes.len() as u64, Box::new(&bytes[..]))),
            Body::Copy(path) => {
                let file = File::open(path)?;
                Ok((file.metadata()?.len(), Box::new(file)))
            }
        }
    }
}

/// What cloud-init is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed<'a> {
    /// Where it is another than before, all is done as if at the first boot.
    pub instance_id: &'a str,
    /// The machine's name.
    pub name: &'a str,
    /// More of the metadata (`user.meta-data`).
    pub meta_data: &'a str,
    /// What a user wants.
    pub user_data: Option<&'a str>,
    /// What whoever runs the machine wants.
    pub vendor_data: Option<&'a str>,
    /// Without it, cloud-init asks for an address on the first card.
    pub network_config: Option<&'a str>,
}

impl Seed<'_> {
    /// The files, as `NoCloud` reads them.
    pub fn items(&self) -> Vec<Item> {
        let Seed { instance_id, name, meta_data, .. } = self;
        let meta = format!("instance-id: {instance_id}\nlocal-hostname: {name}\n{meta_data}\n");
        // Both must be there, whatever is in them.
        let or_nothing = |text: Option<&str>| text.unwrap_or("#cloud-config\n{}\n").to_owned();
        let mut items = vec![
            Item::text("meta-data", &meta),
            Item::text("user-data", &or_nothing(self.user_data)),
            Item::text("vendor-data", &or_nothing(self.vendor_data)),
        ];
        items.extend(self.network_config.map(|text| Item::text("network-config", text)));
        items
    }

    /// The same in a folder of the drive.
    fn on_drive(&self) -> impl Iterator<Item = Item> {
        let moved = |item: Item| Item { path: format!("{SEED_FOLDER}/{}", item.path), ..item };
        self.items().into_iter().map(moved)
    }
}

/// What is on the drive of a machine; without an agent where none is installed here.
pub fn items(seed: &Seed<'_>, agent: Option<&Path>) -> Vec<Item> {
    let mut items = vec![
        Item::text("hostname", &format!("{}\n", seed.name)),
        Item::script("install.sh", INSTALL),
        Item::script("systemd/agent-setup", SETUP),
        Item::text("systemd/microcloud-agent.service", SERVICE),
        Item::text("udev/99-microcloud-agent.rules", RULES),
    ];
    items.extend(seed.on_drive());
    items.extend(agent.map(|from| Item::program(AGENT, from)));
    items
}

/// Makes a folder of these files, in place of what is there. Only root can read it: there may be secrets. A program
/// that lay there already is not written again, which spares time and an SD card.
///
/// # Errors
/// It cannot be written.
pub fn write_folder(items: &[Item], folder: &Path) -> io::Result<()> {
    let before = folder.with_extension("old");
    remove(&before)?;
    match fs::rename(folder, &before) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(folder)?;
    for item in items {
        let path = folder.join(&item.path);
        path.parent().map_or(Ok(()), make)?;
        let mode = if item.executable { 0o700 } else { 0o600 };
        let create = || OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        match &item.body {
            Body::Bytes(bytes) => create()?.write_all(bytes)?,
            Body::Copy(from) => {
                let mut from = File::open(from)?;
                let (there, source) = (before.join(&item.path), from.metadata()?);
                if same(&there, &source, mode) {
                    fs::rename(&there, &path)?;
                } else {
                    let mut file = create()?;
                    io::copy(&mut from, &mut file)?;
                    // By this it is known again.
                    file.set_modified(source.modified()?)?;
                }
            }
        }
    }
    remove(&before)
}

/// Whether a file is a copy of the one that this is told of.
fn same(file: &Path, source: &fs::Metadata, mode: u32) -> bool {
    fs::symlink_metadata(file).is_ok_and(|file| {
        file.is_file()
            && file.len() == source.len()
            && file.permissions().mode() & 0o7777 == mode
            && file.modified().ok() == source.modified().ok()
    })
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::MetadataExt, time::Duration};

    use super::*;

    #[test]
    fn a_program_is_written_once_and_again_when_it_is_another() {
        let place = tempfile::tempdir().unwrap();
        let (agent, folder) = (place.path().join("agent"), place.path().join("drive"));
        fs::write(&agent, "one").unwrap();
        let write = |text: &str| {
            let items = [Item::text("hostname", text), Item::program("agent", &agent)];
            write_folder(&items, &folder).unwrap();
            let file = fs::metadata(folder.join("agent")).unwrap();
            (file.ino(), fs::read_to_string(folder.join("agent")).unwrap())
        };
        let (first, _) = write("a");
        fs::write(folder.join("stale"), "x").unwrap();
        assert_eq!(write("b").0, first);
        assert_eq!(fs::read_to_string(folder.join("hostname")).unwrap(), "b");
        assert!(!folder.join("stale").exists());
        let later = fs::metadata(&agent).unwrap().modified().unwrap() + Duration::from_secs(1);
        fs::write(&agent, "two").unwrap();
        File::options().write(true).open(&agent).unwrap().set_modified(later).unwrap();
        assert_eq!(write("c").1, "two");
        assert!(!place.path().join("drive.old").exists());
    }
}
