//! Loop devices: a file as a disk (`linux/loop.h`).

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsRawFd, BorrowedFd},
    path::PathBuf,
};

use crate::call::check;

const LOOP_CTL_GET_FREE: u64 = 0x4C82;
const LOOP_CONFIGURE: u64 = 0x4C0A;
const LOOP_SET_CAPACITY: u64 = 0x4C07;
/// The device goes when nothing has it open or mounted any more.
const AUTOCLEAR: u32 = 4;
/// Others may take the free device first.
const TRIES: u32 = 32;

/// `struct loop_config` with its `struct loop_info64`.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    numbers: [u64; 5],
    number: u32,
    encryption: u32,
    key_size: u32,
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// Makes a file a disk. The device goes with the last of the returned file and its mounts.
pub fn attach_loop(backing: BorrowedFd) -> io::Result<(PathBuf, File)> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    let mut config = Config {
        fd: u32::try_from(backing.as_raw_fd()).unwrap_or_default(),
        block_size: 0,
        numbers: [0; 5],
        number: 0,
        encryption: 0,
        key_size: 0,
        flags: AUTOCLEAR,
        names: [0; 160],
        init: [0; 2],
        reserved: [0; 8],
    };
    for _ in 0..TRIES {
        // SAFETY: takes no argument and returns a number.
        let number =
            check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) }.into())?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = OpenOptions::new().read(true).write(true).open(&path)?;
        // SAFETY: `config` has the size and layout of the kernel's structure and outlives the call.
        let done = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &raw mut config) };
        match check(done.into()) {
            Ok(_) => return Ok((path, device)),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// Lets a loop device see that its file has grown.
pub fn refresh_loop(device: BorrowedFd) -> io::Result<()> {
    // SAFETY: takes no argument.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_SET_CAPACITY as _, 0) }.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_has_the_kernels_size() {
        assert_eq!(size_of::<Config>(), 304);
    }
}
