//! Mounts of the file systems that a container may have mounted.

use std::{
    ffi::CString,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen,
    },
    process::{WaitId, WaitIdOptions, chroot, fchdir, waitid},
    thread::CapabilitySet,
};
use spec::InterceptMount;

use super::{
    caller::{Caller, Rights},
    clerk::{Office, Outcome, Verdict, by_descriptor, errno},
    visit::{enter_mounts, visit},
};
use crate::{
    ExecSpec,
    container::{
        exec::{Wiring, exec},
        gate::FromSecond,
        mounts::attach,
    },
    protocol::packet,
};

/// Calls of `mount(2)` that make no new mount, and are the kernel's.
const OTHERS: u64 = libc::MS_REMOUNT
    | libc::MS_BIND
    | libc::MS_MOVE
    | libc::MS_UNBINDABLE
    | libc::MS_PRIVATE
    | libc::MS_SLAVE
    | libc::MS_SHARED;
/// Old programs mark the flags by it (`MS_MGC_VAL`, `MS_MGC_MSK`).
const MARK: (u64, u64) = (0xc0ed_0000, 0xffff_0000);

/// Flags that are options of a file system.
const OPTIONS: [(u64, &str); 4] = [
    (libc::MS_RDONLY, "ro"),
    (libc::MS_SYNCHRONOUS, "sync"),
    (libc::MS_DIRSYNC, "dirsync"),
    (libc::MS_LAZYTIME, "lazytime"),
];
/// Flags that are attributes of a mount, and their names for `mount(8)`.
const ATTRIBUTES: [(u64, MountAttrFlags, &str); 6] = [
    (libc::MS_RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY, "ro"),
    (libc::MS_NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID, "nosuid"),
    (libc::MS_NODEV, MountAttrFlags::MOUNT_ATTR_NODEV, "nodev"),
    (libc::MS_NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC, "noexec"),
    (libc::MS_NOATIME, MountAttrFlags::MOUNT_ATTR_NOATIME, "noatime"),
    (libc::MS_NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME, "nodiratime"),
];

/// What is to be mounted.
struct Wanted {
    source: PathBuf,
    target: PathBuf,
    kind: String,
    flags: u64,
    /// Separated by commas.
    data: String,
}

/// `mount(source, target, type, flags, data)`.
pub(super) fn mount(office: &Office<'_>, caller: &Caller) -> Outcome {
    let (Some(allowed), Some(wanted)) = (&office.spec.seccomp.intercept.mount, wanted(caller)?)
    else {
        return Ok(Verdict::Kernel);
    };
    let program = allowed.fuse.get(&wanted.kind);
    if program.is_none() && !allowed.allowed.contains(&wanted.kind) {
        return Ok(Verdict::Kernel);
    }
    let rights = caller.rights()?;
    let may =
        rights.capabilities.contains(CapabilitySet::SYS_ADMIN) && office.is_its_own(caller)?;
    if !may {
        return Ok(Verdict::Kernel);
    }
    match program {
        Some(program) => by_program(office, caller, program, &wanted),
        None => by_kernel(caller, &rights, &wanted, allowed),
    }
}

/// `None` if nothing new is to be mounted.
fn wanted(caller: &Caller) -> Result<Option<Wanted>, Errno> {
    let flags = caller.argument(3);
    let flags = if flags & MARK.1 == MARK.0 { flags & !MARK.1 } else { flags };
    if flags & OTHERS != 0 {
        return Ok(None);
    }
    let Some(kind) = caller.text(caller.argument(2))? else { return Ok(None) };
    let source = caller.text(caller.argument(0))?.unwrap_or_default();
    let data = caller.text(caller.argument(4))?;
    Ok(Some(Wanted {
        source: PathBuf::from(text(source)?),
        target: caller.path(1)?,
        kind: text(kind)?,
        flags,
        data: text(data.unwrap_or_default())?,
    }))
}

fn text(text: CString) -> Result<String, Errno> {
    text.into_string().map_err(|_| Errno::INVAL)
}

/// With the host's rights: what the caller named is looked up by itself.
fn by_kernel(
    caller: &Caller,
    rights: &Rights,
    wanted: &Wanted,
    allowed: &InterceptMount,
) -> Outcome {
    let on_device = needs_device(&wanted.kind);
    let found = visit(caller, rights, || look(wanted, on_device))?;
    let mut found = found.into_iter();
    let target = found.next().ok_or(Errno::IO)?;
    let users = caller.open("ns/user", OFlags::RDONLY)?;
    let mounted = match found.next() {
        Some(device) => {
            let mounted = make(wanted, Some(&by_descriptor(&device)))?;
            enter_mounts(caller)?;
            mounted
        }
        None => {
            // Paths in its options mean the container's files.
            enter_files(caller)?;
            make(wanted, None)?
        }
    };
    if allowed.shift {
        sys::idmap_mount(mounted.as_fd(), users.as_fd(), false).map_err(|error| errno(&error))?;
    }
    attach(mounted.as_fd(), target.as_fd()).map_err(|error| errno(&error))?;
    Ok(Verdict::Done)
}

/// The target, and the device if there has to be one, which the caller must be able to open.
fn look(wanted: &Wanted, on_device: bool) -> Result<Vec<OwnedFd>, Errno> {
    let place = OFlags::PATH | OFlags::CLOEXEC;
    let mut found = vec![openat(CWD, &wanted.target, place, Mode::empty())?];
    if on_device {
        let device = openat(CWD, &wanted.source, place, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&device)?.st_mode) != FileType::BlockDevice {
            return Err(Errno::NOTBLK);
        }
        let how = if wanted.flags & libc::MS_RDONLY == 0 { OFlags::RDWR } else { OFlags::RDONLY };
        openat(CWD, &wanted.source, how | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        found.push(device);
    }
    Ok(found)
}

fn enter_files(caller: &Caller) -> Result<(), Errno> {
    let root = caller.open("root", OFlags::PATH)?;
    let here = caller.open("cwd", OFlags::PATH)?;
    enter_mounts(caller)?;
    fchdir(&root)?;
    chroot(".")?;
    fchdir(&here)
}

/// The file system, detached. Nodes in it open nothing, whatever is asked for: it is made with the host's rights.
fn make(wanted: &Wanted, device: Option<&str>) -> Result<OwnedFd, Errno> {
    let context = fsopen(wanted.kind.as_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    match device {
        Some(device) => fsconfig_set_string(context, "source", device)?,
        None if wanted.source.as_os_str().is_empty() => {}
        None => fsconfig_set_string(context, "source", wanted.source.as_path())?,
    }
    for (flag, option) in OPTIONS {
        if wanted.flags & flag != 0 {
            fsconfig_set_flag(context, option)?;
        }
    }
    for option in wanted.data.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some((key, value)) => fsconfig_set_string(context, key, value)?,
            None => fsconfig_set_flag(context, option)?,
        }
    }
    fsconfig_create(context)?;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(wanted.flags))
}

fn attributes(flags: u64) -> MountAttrFlags {
    let set = ATTRIBUTES.iter().filter(|(flag, ..)| flags & flag != 0);
    set.fold(MountAttrFlags::MOUNT_ATTR_NODEV, |all, (_, attribute, _)| all | *attribute)
}

/// Whether a file system is on a block device, as the kernel's list says; what it does not know is not.
fn needs_device(kind: &str) -> bool {
    let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    list.lines().any(|line| line.strip_prefix('\t').is_some_and(|name| name.trim() == kind))
}

/// By a program inside, for who sees what the container's first process sees.
fn by_program(office: &Office<'_>, caller: &Caller, program: &str, wanted: &Wanted) -> Outcome {
    let sees = caller.namespace("mnt")? == super::caller::namespace_of(office.init.1, "mnt")?;
    if !sees || !wanted.target.is_absolute() {
        return Ok(Verdict::Kernel);
    }
    let argv = arguments(program, wanted);
    let mut spec = ExecSpec::new(argv.iter().map(String::as_str));
    spec.cwd = Some(Path::new("/").into());
    // What it mounts itself is not asked about again.
    let mut instance = office.spec.clone();
    instance.seccomp.intercept = spec::Intercept::default();
    let started = exec(&instance, office.group, office.init.0.as_fd(), &spec, Wiring::Null);
    let started = started.map_err(|_| Errno::NODEV)?;
    let mut executing = false;
    while let Ok(Some((word, _))) = packet::recv::<FromSecond>(started.gate.as_fd()) {
        executing = matches!(word, FromSecond::Executing);
    }
    let status = waitid(WaitId::PidFd(started.pidfd.as_fd()), WaitIdOptions::EXITED)?;
    match status.and_then(|status| status.exit_status()) {
        Some(0) => Ok(Verdict::Done),
        _ if !executing => Err(Errno::NODEV),
        _ => Err(Errno::INVAL),
    }
}

/// For `mount.fuse(8)`: `fuse2fs#/dev/sdb /mnt -o ro,nodev`.
fn arguments(program: &str, wanted: &Wanted) -> Vec<String> {
    let set = ATTRIBUTES.iter().filter(|(flag, ..)| wanted.flags & flag != 0);
    let options = set.map(|(.., name)| *name).chain(wanted.data.split(','));
    let options: Vec<_> = options.filter(|option| !option.is_empty()).collect();
    let source = format!("{program}#{}", wanted.source.display());
    let mut argv = vec!["mount.fuse".to_owned(), source, wanted.target.display().to_string()];
    if !options.is_empty() {
        argv.extend(["-o".to_owned(), options.join(",")]);
    }
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_all_of_it() {
        let wanted = |flags, data: &str| Wanted {
            source: "/dev/sdb".into(),
            target: "/mnt".into(),
            kind: "ext4".into(),
            flags,
            data: data.into(),
        };
        let argv = arguments("fuse2fs", &wanted(libc::MS_RDONLY | libc::MS_NODEV, "allow_other"));
        assert_eq!(argv.join(" "), "mount.fuse fuse2fs#/dev/sdb /mnt -o ro,nodev,allow_other");
        assert_eq!(arguments("fuse2fs", &wanted(0, "")).len(), 3);
    }

    #[test]
    fn nodes_open_nothing_whatever_is_asked() {
        assert_eq!(attributes(0), MountAttrFlags::MOUNT_ATTR_NODEV);
        assert!(attributes(libc::MS_RDONLY).contains(MountAttrFlags::MOUNT_ATTR_RDONLY));
    }

    #[test]
    fn the_kernel_says_which_are_on_devices() {
        assert!(!needs_device("tmpfs") && !needs_device("nothing"));
    }
}
