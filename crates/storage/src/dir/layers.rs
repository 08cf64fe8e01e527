//! Whether the pool's file system can carry an overlay: some cannot (NFS, FAT, another overlay).

use std::fs;
use std::sync::Arc;

use super::build::Build;
use super::layout::Layout;
use super::trees::Folders;
use crate::{Result, View, fsio};

/// Tries it, as the kernel's rules are many. Without overlays roots are copies.
pub(super) fn work(layout: &Layout) -> Result<bool> {
    let build = Build::start(layout, Arc::new(Folders))?;
    let lower = build.place.rootfs();
    for folder in [&lower, &build.place.upper(), &build.place.work()] {
        fsio::ensure_dir(folder, 0o700)?;
    }
    fsio::write_new(&lower.join("file"), b"")?;
    let (upper, work) = (build.place.upper(), build.place.work());
    // An overlay that cannot write its marks mounts read-only rather than fail; removing leaves one.
    let Ok(view) = View::open_scratch(&lower, &upper, &work) else { return Ok(false) };
    Ok(fs::remove_file(view.path().join("file")).is_ok())
}
