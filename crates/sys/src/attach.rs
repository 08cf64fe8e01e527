//! Attaching a device filter to a control group (version 2).

use std::{
    ffi::CStr,
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use crate::call::check;

/// Commands, kinds and flags of `linux/bpf.h`.
const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_DETACH: libc::c_long = 9;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;
const REPLACE: u32 = 4;

/// `union bpf_attr` as `BPF_PROG_LOAD` reads it, up to the fields in use.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// `union bpf_attr` as `BPF_PROG_ATTACH` reads it.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

/// Loads eBPF instructions (eight bytes each, `struct bpf_insn`) as a device filter and attaches
/// them to a control group, in the place of the one that was attached last, if any. The kernel
/// verifies them; they live as long as the group.
pub fn attach_device_filter(
    cgroup: BorrowedFd,
    instructions: &[u64],
    last: Option<BorrowedFd>,
) -> io::Result<OwnedFd> {
    let program = load_device_filter(instructions, c"Apache-2.0")?;
    attach_loaded_filter(cgroup, program.as_fd(), ALLOW_MULTI, last)?;
    Ok(program)
}

/// Loads eBPF instructions as a device filter. The kernel verifies them.
pub fn load_device_filter(instructions: &[u64], license: &CStr) -> io::Result<OwnedFd> {
    let load = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: the kernel reads `count` instructions and the license; the result is a new fd.
    unsafe {
        let fd = bpf(PROG_LOAD, &load)?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// Attaches a device filter to a control group: `flags` are `BPF_F_ALLOW_*` of `linux/bpf.h`.
pub fn attach_loaded_filter(
    cgroup: BorrowedFd,
    program: BorrowedFd,
    flags: u32,
    last: Option<BorrowedFd>,
) -> io::Result<()> {
    let attach = Attach {
        flags: flags | if last.is_some() { REPLACE } else { 0 },
        replaced: last.map_or(0, |last| last.as_raw_fd() as u32),
        ..attached(cgroup, program)
    };
    // SAFETY: plain integers.
    unsafe { bpf(PROG_ATTACH, &attach) }.map(drop)
}

/// Takes a device filter off a control group.
pub fn detach_device_filter(cgroup: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    // SAFETY: plain integers.
    unsafe { bpf(PROG_DETACH, &attached(cgroup, program)) }.map(drop)
}

fn attached(cgroup: BorrowedFd, program: BorrowedFd) -> Attach {
    Attach {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: ATTACH_CGROUP_DEVICE,
        ..Attach::default()
    }
}

/// # Safety
/// `attributes` must be what `command` expects, and pointers in it must be valid.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i64> {
    let size = mem::size_of::<T>();
    // SAFETY: the caller vouches for the content; the size is that of the type.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size) })
}
