//! Extended attributes in extended headers. Only those that mean something inside an instance: the
//! rest (labels of another host, overlayfs' own marks) would speak to the host's kernel.

use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fsetxattr};
use rustix::io::Errno;

const PREFIX: &str = "SCHILY.xattr.";

pub(crate) fn allowed(name: &str) -> bool {
    name == "security.capability"
        || name.starts_with("user.") && !name.starts_with("user.overlay.")
        || name == "system.posix_acl_access"
        || name == "system.posix_acl_default"
}

/// Sets the attributes a file's extended headers name.
pub(super) fn set(file: impl AsFd, extensions: &[(String, Vec<u8>)]) -> rustix::io::Result<()> {
    for (key, value) in extensions {
        let Some(name) = key.strip_prefix(PREFIX).filter(|name| allowed(name)) else { continue };
        match fsetxattr(&file, name, value, XattrFlags::empty()) {
            // A file system without them: capabilities matter, the rest is decoration.
            Err(Errno::OPNOTSUPP) if name != "security.capability" => {}
            other => other?,
        }
    }
    Ok(())
}
