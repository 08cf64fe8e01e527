//! Taps: network links whose other end is a program (`linux/if_tun.h`).

use std::{
    fs::OpenOptions,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use crate::call::check;

const TUNSETIFF: u64 = 0x4004_54ca;
const TUNSETVNETHDRSZ: u64 = 0x4004_54d8;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
/// `struct virtio_net_hdr_mrg_rxbuf`, which QEMU's cards speak.
static HEADER: i32 = 12;
/// `IFNAMSIZ`, the zero at the end counted.
const NAME: usize = 16;

/// `struct ifreq` with its flags.
#[repr(C)]
struct Request {
    name: [u8; NAME],
    flags: u16,
    rest: [u8; 22],
}

/// Makes a tap, or takes one of this name that nobody has open. It goes with the last of its descriptors.
pub fn open_tap(name: &str) -> io::Result<OwnedFd> {
    let mut request =
        Request { name: [0; NAME], flags: IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, rest: [0; 22] };
    if name.len() >= NAME {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let tap = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: `request` has the size and layout of the kernel's structure and outlives the call.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETIFF as _, &raw mut request) }.into())?;
    // SAFETY: the kernel reads one int from the pointer.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETVNETHDRSZ as _, &raw const HEADER) }.into())?;
    Ok(tap.into())
}
