//! A disk that can be full.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

/// A small file system, gone with this.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Mounts it; says so and gives nothing where that is not allowed.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Disk> {
        let data = CString::new(format!("size={size}")).unwrap();
        match rustix::mount::mount("tmpfs", at, "tmpfs", MountFlags::empty(), data.as_c_str()) {
            Ok(()) => Some(Disk(at.to_owned())),
            Err(e) => {
                eprintln!("SKIP: cannot mount a tmpfs: {e}");
                None
            }
        }
    }

    pub(crate) fn resize(&self, size: &str) {
        let data = CString::new(format!("size={size}")).unwrap();
        rustix::mount::mount_remount(&self.0, MountFlags::empty(), data.as_c_str()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}
