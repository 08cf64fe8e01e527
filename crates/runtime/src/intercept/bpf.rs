//! Filters of devices for control groups of the container's own making.
//!
//! They can only take away: the kernel asks all filters from the machine's root down.

use std::os::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    unix::fs::MetadataExt,
};

use rustix::{
    fs::{Mode, OFlags, fstat, openat},
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};

use super::{
    caller::Caller,
    clerk::{Office, errno},
};

/// Commands, kinds and flags of `linux/bpf.h`.
const LOAD: i32 = 5;
const ATTACH: i32 = 8;
const DETACH: i32 = 9;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_OVERRIDE_OR_MULTI: u32 = 3;
const REPLACE: u32 = 4;
/// The kernel takes no longer programs of who is not its root (`BPF_MAXINSNS`).
const LONGEST: u32 = 4096;
/// Control groups are not nested deeper here.
const DEEPEST: usize = 64;

/// What a call comes to.
pub(super) enum Done {
    /// The descriptor of a program.
    Loaded(OwnedFd),
    Changed,
    Kernel,
}

/// `bpf(command, attributes, size)`.
pub(super) fn bpf(office: &Office<'_>, caller: &Caller) -> Result<Done, Errno> {
    let rights = caller.rights()?;
    let may = rights.capabilities.intersects(CapabilitySet::SYS_ADMIN | CapabilitySet::BPF);
    if !may || !office.is_its_own(caller)? {
        return Ok(Done::Kernel);
    }
    let size = usize::try_from(caller.argument(2)).unwrap_or(usize::MAX).min(128);
    let attributes = Attributes(caller.read(caller.argument(1), size)?);
    match caller.int(0) {
        LOAD if attributes.word(0) == TYPE_CGROUP_DEVICE => load(caller, &attributes),
        ATTACH | DETACH if attributes.word(8) == ATTACH_CGROUP_DEVICE => {
            change(office, caller, rights.process, &attributes)
        }
        _ => Ok(Done::Kernel),
    }
}

/// `union bpf_attr`; what is not given is zero.
struct Attributes(Vec<u8>);

impl Attributes {
    fn word(&self, at: usize) -> u32 {
        self.array(at).map_or(0, u32::from_ne_bytes)
    }

    fn address(&self, at: usize) -> u64 {
        self.array(at).map_or(0, u64::from_ne_bytes)
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }
}

fn load(caller: &Caller, attributes: &Attributes) -> Result<Done, Errno> {
    let count = attributes.word(4);
    if count == 0 || count > LONGEST {
        return Err(Errno::TOOBIG);
    }
    let bytes = caller.read(attributes.address(8), count as usize * 8)?;
    let instruction = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).ok();
    let instructions: Vec<u64> = bytes.chunks_exact(8).filter_map(instruction).collect();
    let license = caller.text(attributes.address(16))?.ok_or(Errno::FAULT)?;
    with_few_rights(|| sys::load_device_filter(&instructions, &license)).map(Done::Loaded)
}

/// A program of a stranger must not get what the kernel's verifier grants the host's root, such as to read the kernel's
/// memory (`CAP_PERFMON`, which `CAP_SYS_ADMIN` includes).
fn with_few_rights<T>(work: impl FnOnce() -> std::io::Result<T>) -> Result<T, Errno> {
    let all = capabilities(None)?;
    let few = CapabilitySet::BPF | CapabilitySet::NET_ADMIN;
    set_capabilities(None, CapabilitySets { effective: all.effective & few, ..all })?;
    let done = work();
    set_capabilities(None, all)?;
    done.map_err(|error| errno(&error))
}

fn change(
    office: &Office<'_>,
    caller: &Caller,
    process: i32,
    attributes: &Attributes,
) -> Result<Done, Errno> {
    let process = Pid::from_raw(process).ok_or(Errno::SRCH)?;
    let process = pidfd_open(process, PidfdFlags::empty())?;
    let open = |at| pidfd_getfd(&process, attributes.word(at) as i32, PidfdGetfdFlags::empty());
    let (group, program) = (open(0)?, open(4)?);
    if !is_within(office, group.as_fd())? {
        return Ok(Done::Kernel);
    }
    let flags = attributes.word(12);
    if flags & !(ALLOW_OVERRIDE_OR_MULTI | REPLACE) != 0 {
        return Err(Errno::INVAL);
    }
    let changed = if caller.int(0) == DETACH {
        sys::detach_device_filter(group.as_fd(), program.as_fd())
    } else {
        let last = if flags & REPLACE == 0 { None } else { Some(open(16)?) };
        let flags = flags & ALLOW_OVERRIDE_OR_MULTI;
        let last = last.as_ref().map(AsFd::as_fd);
        sys::attach_loaded_filter(group.as_fd(), program.as_fd(), flags, last)
    };
    changed.map(|()| Done::Changed).map_err(|error| errno(&error))
}

/// Whether a folder is the container's control group or one below it. The filter that it was started with cannot be taken
/// off: that takes a descriptor of the program, which only the monitor has.
fn is_within(office: &Office<'_>, group: BorrowedFd) -> Result<bool, Errno> {
    let Some(Ok(top)) = office.group.unified().map(std::fs::metadata) else { return Ok(false) };
    let top = (top.dev(), top.ino());
    let mut at = group.try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for _ in 0..DEEPEST {
        let seen = fstat(&at)?;
        if (seen.st_dev, seen.st_ino) == top {
            return Ok(true);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        at = openat(&at, "..", flags, Mode::empty())?;
    }
    Ok(false)
}
