//! The disks of this machine, to find one by what is on it: its name may be another's after a boot.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::At;

/// The disk that is the one wanted: the one it was before, or any other.
pub(crate) fn find(usual: &Path, is_it: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>> {
    let mut all = [usual.to_owned()].into_iter().chain(all()?);
    Ok(all.find(|path| is_it(path)))
}

/// The disks of this machine and their partitions, without drives that may be slow to say they are empty.
fn all() -> Result<Vec<PathBuf>> {
    let table = "/sys/class/block";
    let entries = fs::read_dir(table).at("read", table)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names = names.filter(|name| !name.starts_with("fd") && !name.starts_with("sr"));
    // As sysfs writes the slash of a name such as `cciss/c0d0`.
    Ok(names.map(|name| Path::new("/dev").join(name.replace('!', "/"))).collect())
}
