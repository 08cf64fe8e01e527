//! Compares everything on a btrfs with its checksums; what has a second copy is mended from it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exec::{Control, Progress};

use crate::error::At;
use crate::{Error, Result, Scrubbed, fsio};

/// How often it is looked how far a scrub is, and whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);
const ENODEV: i32 = rustix::io::Errno::NODEV.raw_os_error();

/// Scrubs all devices of the file system that a folder is on, one after the other.
pub(super) fn scrub(folder: &Path, control: &Control) -> Result<Scrubbed> {
    let root = fsio::open_dir(folder)?;
    let highest = sys::highest_device(root.as_fd()).at("look for the devices of", folder)?;
    let mut sum = Scrubbed::default();
    for device in 1..=highest {
        control.check()?;
        match scrub_device(root.as_fd(), device, sum.bytes, control) {
            Ok(one) => {
                sum.bytes += one.bytes;
                sum.repaired += one.repaired;
                sum.damaged += one.damaged;
            }
            // No device has this id.
            Err(error) if error.raw_os_error() == Some(ENODEV) => {}
            Err(_) if control.cancelled() => return Err(Error::from(exec::Cancelled)),
            Err(error) => return Err(error).at("compare with its checksums", folder),
        }
    }
    Ok(sum)
}

fn scrub_device(
    root: BorrowedFd,
    device: u64,
    before: u64,
    control: &Control,
) -> io::Result<sys::Scrubbed> {
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let watch = threads.spawn(|| watch(root, device, before, control, &over));
        let done = sys::scrub(root, device);
        over.store(true, Ordering::Release);
        watch.thread().unpark();
        done
    })
}

/// Tells how far it is, and ends it when it is no longer wanted.
fn watch(root: BorrowedFd, device: u64, before: u64, control: &Control, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        if control.cancelled() {
            // It may not have begun yet, or have ended: the next look is soon.
            let _ = sys::cancel_scrub(root);
        }
        if let Ok(so_far) = sys::scrub_progress(root, device) {
            control.report(Progress {
                stage: "compare with checksums".into(),
                bytes: before + so_far.bytes,
                ..Progress::default()
            });
        }
        std::thread::park_timeout(LOOK);
    }
}
