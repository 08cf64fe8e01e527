//! Images for tests: Debian built once for all runs, and the small one in every format.

use std::{
    fs,
    net::{TcpStream, ToSocketAddrs},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use crate::{Client, Daemon, Options, host, skip};

/// Where what takes long to make is kept from one run to the next.
const CACHE: &str = "/var/cache/microcloud-test";

/// A build fetches a hundred packages.
const BUILD: Duration = Duration::from_secs(500);

/// Debian 12 as one file, built at the first call on a machine; `None` when it cannot be, and it
/// said why.
#[track_caller]
pub fn debian() -> Option<PathBuf> {
    let file = Path::new(CACHE).join("debian-12.image");
    kept(&file, || {
        let daemon = built(&["image", "build", "debian:12", "--alias", "debian"])?;
        // A run that is killed here must not leave half a file under the right name.
        let part = file.with_extension("part");
        daemon.cli(["image", "export", "debian", &part.to_string_lossy()]).ok();
        Some(part)
    })
}

/// Debian 12 for virtual machines: a folder with `main` and `rootfs`.
#[track_caller]
pub fn debian_machine() -> Option<PathBuf> {
    let folder = Path::new(CACHE).join(format!("debian-12-machine-{MACHINE}"));
    kept(&folder, || {
        let daemon = built(&["image", "build", "debian:12", "--vm", "--alias", "debian"])?;
        let image = daemon.get("/1.0/images/aliases/debian");
        let print = image["target"].as_str().unwrap_or_else(|| panic!("no target in {image}"));
        let (part, files) = (folder.with_extension("part"), daemon.folder().join("images"));
        fs::create_dir_all(&part).unwrap_or_else(|e| panic!("cannot make {part:?}: {e}"));
        for (from, to) in [(print.to_owned(), "main"), (format!("{print}.rootfs"), "rootfs")] {
            let copied = fs::copy(files.join(from), part.join(to));
            copied.unwrap_or_else(|e| panic!("cannot copy {to}: {e}"));
        }
        Some(part)
    })
}

/// To be raised when what the server builds for machines has changed.
const MACHINE: u32 = 1;

/// What is there from an earlier run, or else is made and takes its name.
#[track_caller]
fn kept(path: &Path, make: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    fs::create_dir_all(CACHE).unwrap_or_else(|e| panic!("cannot make {CACHE}: {e}"));
    let lock = fs::File::create(Path::new(CACHE).join("lock"));
    let lock = lock.unwrap_or_else(|e| panic!("cannot make a lock in {CACHE}: {e}"));
    flock(lock.as_fd(), FlockOperation::LockExclusive).unwrap_or_else(|e| panic!("lock: {e}"));
    if !path.exists() {
        if let Some(why) = cannot_build() {
            skip(&why);
            return None;
        }
        fs::rename(make()?, path).unwrap_or_else(|e| panic!("cannot keep {path:?}: {e}"));
    }
    Some(path.to_owned())
}

fn cannot_build() -> Option<String> {
    if !crate::installed("mmdebstrap") {
        return Some(String::from("not installed: mmdebstrap"));
    }
    let url = std::env::var("MICROCLOUD_DEBIAN_MIRROR").unwrap_or_default();
    let address = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or("deb.debian.org");
    let port = if address.contains(':') { "" } else { ":80" };
    let reachable = format!("{address}{port}").to_socket_addrs().is_ok_and(|mut found| {
        found.any(|to| TcpStream::connect_timeout(&to, Duration::from_secs(5)).is_ok())
    });
    (!reachable).then(|| format!("Debian's archive ({address}) is not reachable"))
}

/// A daemon that has built an image.
#[track_caller]
fn built(words: &[&str]) -> Option<Daemon> {
    let options = Options { host_network: true, ..Options::default() };
    let daemon = Daemon::with(&options)?;
    daemon.begin(Client::Cli, words, Vec::new()).limit(BUILD).wait().ok();
    Some(daemon)
}

/// The small image, unpacked: `metadata.yaml` and `rootfs`.
#[track_caller]
pub fn tree(daemon: &Daemon) -> PathBuf {
    let (file, tree) = (daemon.scratch().join("busybox.image"), daemon.scratch().join("tree"));
    daemon.cli(["image", "export", "busybox", &file.to_string_lossy()]).ok();
    fs::create_dir(&tree).unwrap_or_else(|e| panic!("cannot make {tree:?}: {e}"));
    host(&["tar", "-C", &tree.to_string_lossy(), "-xf", &file.to_string_lossy()]).ok();
    tree
}

/// How a tar file is packed: the ending of its name, and tar's option.
pub const PACKINGS: [(&str, &str); 4] =
    [("tar", "--no-same-owner"), ("tar.gz", "--gzip"), ("tar.xz", "--xz"), ("tar.zst", "--zstd")];

/// Packs `what` (a path in `folder`) into a file; `option` is tar's.
#[track_caller]
pub fn pack(folder: &Path, what: &[&str], option: &str, file: &Path) {
    let (folder, file) = (folder.to_string_lossy(), file.to_string_lossy());
    let words = ["tar", "-C", &folder, "--numeric-owner", option, "-cf", &file];
    host(&[&words[..], what].concat()).ok();
}

/// An entry of a tar file that no honest tool would write.
pub enum Evil<'a> {
    /// A file of this name.
    File(&'a str),
    /// A link of this name to that.
    Link(&'a str, &'a str),
}

/// Writes an image whose root file system has evil entries.
#[track_caller]
pub fn evil(file: &Path, entries: &[Evil<'_>]) {
    let made = fs::File::create(file).and_then(|file| {
        let mut tar = tar::Builder::new(file);
        let architecture = std::env::consts::ARCH;
        let metadata = format!("architecture: {architecture}\ncreation_date: 1\n");
        add(&mut tar, "metadata.yaml", tar::EntryType::Regular, "", metadata.as_bytes())?;
        add(&mut tar, "rootfs", tar::EntryType::Directory, "", b"")?;
        for entry in entries {
            match entry {
                Evil::File(name) => add(&mut tar, name, tar::EntryType::Regular, "", b"evil\n")?,
                Evil::Link(name, to) => add(&mut tar, name, tar::EntryType::Symlink, to, b"")?,
            }
        }
        tar.finish()
    });
    made.unwrap_or_else(|e| panic!("cannot write {file:?}: {e}"));
}

/// Names are written into the header as they are; the library would refuse them.
fn add(
    tar: &mut tar::Builder<fs::File>,
    name: &str,
    kind: tar::EntryType,
    to: &str,
    contents: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == tar::EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(contents.len().try_into().unwrap_or_default());
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..to.len()].copy_from_slice(to.as_bytes());
    header.set_cksum();
    tar.append(&header, contents)
}
