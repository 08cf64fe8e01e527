//! Mounts on a pool's folder and in it.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use crate::error::At;
use crate::{Error, Result, fsio};

/// Words of mount(8) that are flags of the mount; all others are read by the file system.
const FLAGS: [(&str, MountFlags); 9] = [
    ("dirsync", MountFlags::DIRSYNC),
    ("lazytime", MountFlags::LAZYTIME),
    ("noatime", MountFlags::NOATIME),
    ("nodev", MountFlags::NODEV),
    ("nodiratime", MountFlags::NODIRATIME),
    ("noexec", MountFlags::NOEXEC),
    ("nosuid", MountFlags::NOSUID),
    ("relatime", MountFlags::RELATIME),
    ("sync", MountFlags::SYNCHRONOUS),
];

/// Mounts a disk. Options are separated by commas.
pub(crate) fn mount(disk: &Path, path: &Path, kind: &str, options: &str) -> Result<()> {
    let (flags, rest) = parse(options);
    rustix::mount::mount(disk, path, kind, flags, rest.as_c_str()).at("mount", disk)
}

fn parse(options: &str) -> (MountFlags, CString) {
    let mut flags = MountFlags::empty();
    let mut rest = Vec::new();
    for word in options.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match FLAGS.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => flags |= *flag,
            None => rest.push(word),
        }
    }
    // Options with a zero byte are none the kernel could know.
    (flags, CString::new(rest.join(",")).unwrap_or_default())
}

/// Whether something is mounted on a folder.
pub(crate) fn is_mounted(path: &Path) -> Result<bool> {
    if !fsio::exists(path)? {
        return Ok(false);
    }
    let above = path.parent().unwrap_or(Path::new("/"));
    let device = |path: &Path| fs::metadata(path).map(|stat| stat.dev()).at("look at", path);
    Ok(device(path)? != device(above)?)
}

/// Ends the mount, with those in it; none is Ok. Namespaces that have a copy keep the disk busy until
/// they end.
pub(crate) fn unmount(path: &Path) -> Result<()> {
    end(path, UnmountFlags::DETACH)
}

/// Ends the mount unless somebody uses it; none is Ok.
pub(crate) fn unmount_idle(path: &Path) -> Result<()> {
    match end(path, UnmountFlags::empty()) {
        Err(Error::Io { source, .. })
            if source.raw_os_error() == Some(Errno::BUSY.raw_os_error()) =>
        {
            Ok(())
        }
        ended => ended,
    }
}

fn end(path: &Path, flags: UnmountFlags) -> Result<()> {
    match rustix::mount::unmount(path, flags | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => Err(error).at("unmount", path),
    }
}

/// The device that is mounted on a folder, by proc_pid_mountinfo(5).
pub(crate) fn device(path: &Path) -> Result<PathBuf> {
    let table = "/proc/thread-self/mountinfo";
    let text = fs::read_to_string(table).at("read", table)?;
    let wanted = path.to_string_lossy();
    let found = text.lines().rev().find_map(|line| {
        let (place, device) = line.split_once(" - ")?;
        // The mount point is the fifth word; after the dash come type and source.
        (place.split(' ').nth(4)? == wanted).then(|| device.split(' ').nth(1))?
    });
    let path = path.to_owned();
    found.map(PathBuf::from).ok_or(Error::NoPool { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_mount_are_told_from_those_of_the_file_system() {
        let (flags, rest) = parse("noatime, discard,nodev,,nobarrier");
        assert_eq!(flags, MountFlags::NOATIME | MountFlags::NODEV);
        assert_eq!(rest.to_str().unwrap(), "discard,nobarrier");
    }
}
