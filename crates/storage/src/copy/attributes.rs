//! Owner, mode, times and extended attributes of one entry.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use crate::error::At;
use crate::{Result, fsio};

/// An entry by its folder and its name: a way that follows no link.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) folder: BorrowedFd<'a>,
    pub(super) name: &'a std::ffi::CStr,
}

impl Entry<'_> {
    /// A path for calls that take no folder.
    pub(super) fn path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(self.name.to_bytes());
        Path::new("/proc/self/fd").join(self.folder.as_raw_fd().to_string()).join(name)
    }
}

/// Gives `to` what `from` has. The order matters: a new owner clears setuid bits and capabilities,
/// and everything changes times.
pub(super) fn copy(from: Entry, stat: &Stat, to: Entry) -> Result<()> {
    let (source, target) = (from.path(), to.path());
    let owner = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    let no_follow = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(to.folder, to.name, Some(owner.0), Some(owner.1), no_follow)
        .at("change the owner of", &target)?;
    if !is_symlink(stat) {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::chmodat(to.folder, to.name, mode, AtFlags::empty())
            .at("change the mode of", &target)?;
    }
    copy_xattrs(&source, &target)?;
    rustix::fs::utimensat(to.folder, to.name, &times(stat), no_follow).at("set times of", &target)
}

/// Gives a folder the owner, mode and attributes of another; its times stay.
pub(crate) fn copy_folder_attributes(from: &Path, to: &Path) -> Result<()> {
    let fd = fsio::open_dir(from)?;
    let stat = rustix::fs::fstat(fd.as_fd()).at("look at", from)?;
    let owner = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
    rustix::fs::chown(to, Some(owner.0), Some(owner.1)).at("change the owner of", to)?;
    rustix::fs::chmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))
        .at("change the mode of", to)?;
    copy_xattrs(from, to)
}

/// The same with times, for the top of a copied tree.
pub(super) fn copy_top(from: &Path, stat: &Stat, to: &Path) -> Result<()> {
    copy_folder_attributes(from, to)?;
    rustix::fs::utimensat(CWD, to, &times(stat), AtFlags::empty()).at("set times of", to)
}

fn is_symlink(stat: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink()
}

#[allow(clippy::unnecessary_cast)] // the fields' types differ between architectures
fn times(stat: &Stat) -> Timestamps {
    let time =
        |seconds: i64, nanoseconds: i64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    Timestamps {
        last_access: time(stat.st_atime as i64, stat.st_atime_nsec as i64),
        last_modification: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
    }
}

fn copy_xattrs(from: &Path, to: &Path) -> Result<()> {
    for name in xattr_names(from)?.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // The label belongs to the policy of the place, not to the file.
        if name == b"security.selinux" {
            continue;
        }
        if let Some(value) = xattr(from, name)? {
            rustix::fs::lsetxattr(to, name, &value, XattrFlags::empty())
                .at("set an attribute of", to)?;
        }
    }
    Ok(())
}

/// Whether two entries have the same extended attributes.
pub(super) fn same_xattrs(a: &Path, b: &Path) -> Result<bool> {
    let sorted = |path: &Path| -> Result<Vec<Vec<u8>>> {
        let names = xattr_names(path)?;
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut names: Vec<_> = names.map(<[u8]>::to_vec).collect();
        names.retain(|name| name != b"security.selinux");
        names.sort();
        Ok(names)
    };
    let names = sorted(a)?;
    if names != sorted(b)? {
        return Ok(false);
    }
    for name in &names {
        if xattr(a, name)? != xattr(b, name)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn xattr_names(path: &Path) -> Result<Vec<u8>> {
    let mut names = vec![0; 256];
    loop {
        match rustix::fs::llistxattr(path, names.as_mut_slice()) {
            Ok(used) => {
                names.truncate(used);
                return Ok(names);
            }
            Err(Errno::RANGE) => names.resize(names.len() * 16, 0),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(e) => return Err(e).at("list the attributes of", path),
        }
    }
}

fn xattr(path: &Path, name: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut value = vec![0; 256];
    loop {
        match rustix::fs::lgetxattr(path, name, value.as_mut_slice()) {
            Ok(used) => {
                value.truncate(used);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) => value.resize(value.len() * 16, 0),
            Err(Errno::NODATA) => return Ok(None),
            Err(e) => return Err(e).at("read an attribute of", path),
        }
    }
}
