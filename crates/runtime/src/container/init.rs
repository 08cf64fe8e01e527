//! The process that becomes PID 1: mounts what belongs to its namespaces, makes the stage its root,
//! waits to be released, executes the program.

use std::{
    convert::Infallible,
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    io::Errno,
    mount::{MountAttrFlags, MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{chdir, fchdir, pivot_root, setsid, umask},
    system::sethostname,
};

use super::{
    disks::{self, Detached},
    gate::FromSecond,
    identity::{become_user, enter_folder},
    mounts::{attach, copy, copy_of, file_system},
    path::{Kind, make, resolve},
    spawn::{Inheritance, die_with_parent},
    terminal,
};
use crate::{
    error::{At, Result},
    plan::{FileSystem, Plan},
};

pub(super) fn run(inheritance: &Inheritance<'_>, late: &[Detached]) -> Result<Infallible> {
    die_with_parent()?;
    let plan = inheritance.plan;
    umask(rustix::fs::Mode::empty());
    let root = open_stage()?;
    for file_system in &plan.file_systems {
        mount(root.as_fd(), file_system)?;
    }
    for part in &plan.host_parts {
        bind_host_part(root.as_fd(), part)?;
    }
    for disk in late {
        disks::bind_as_root(root.as_fd(), disk)?;
    }
    for path in &plan.readonly {
        protect(root.as_fd(), path)?;
    }
    crate::confine::cover(inheritance.spec, |source, target| {
        let place = match resolve(root.as_fd(), target) {
            Err(Errno::NOENT) => return Ok(()),
            result => result.at("find", target)?,
        };
        let file = copy(source, false).at("open", source)?;
        attach(file.as_fd(), place.as_fd()).at("mount", target)
    })?;
    let (master, slave) = console(root.as_fd())?;
    enter_root(root.as_fd())?;
    sethostname(plan.hostname.as_bytes()).at("set", "host name")?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    inheritance.link.tell(&FromSecond::Ready, &[master.as_fd(), slave.as_fd()])?;
    drop(master);
    inheritance.link.await_execute()?;
    execute(inheritance, slave.as_fd())
}

/// The stage, which is the working folder: its path may lead through folders closed to the
/// container's root. It is locked where it is, and a locked mount cannot become the root: bind it
/// onto itself.
fn open_stage() -> Result<OwnedFd> {
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).at("make slave", "/")?;
    let here = disks::open_root(Path::new("."))?;
    let root = copy_of(here.as_fd()).at("copy", "stage")?;
    attach(root.as_fd(), here.as_fd()).at("bind", "stage")?;
    Ok(root)
}

fn mount(root: BorrowedFd, wanted: &FileSystem) -> Result<()> {
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if wanted.kind == "devpts" {
        attributes.remove(MountAttrFlags::MOUNT_ATTR_NODEV);
    }
    if wanted.noexec {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC;
    }
    let target = &wanted.target;
    let mount = match file_system(wanted.kind, &wanted.options, attributes) {
        // A kernel without message queues.
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) && wanted.optional => {
            return Ok(());
        }
        result => result.at("make", target)?,
    };
    let place = make(root, target, Kind::Folder).at("make", target)?;
    attach(mount.as_fd(), place.as_fd()).at("mount", target)
}

fn bind_host_part(root: BorrowedFd, part: &Path) -> Result<()> {
    let mount = match copy(part, true) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.at("open", part)?,
    };
    match resolve(root, part) {
        Err(Errno::NOENT) => Ok(()),
        place => attach(mount.as_fd(), place.at("find", part)?.as_fd()).at("mount", part),
    }
}

fn protect(root: BorrowedFd, path: &Path) -> Result<()> {
    let place = match resolve(root, path) {
        Err(Errno::NOENT) => return Ok(()),
        result => result.at("find", path)?,
    };
    let copy = copy_of(place.as_fd()).at("open", path)?;
    sys::set_readonly_mount(copy.as_fd()).at("make read-only", path)?;
    attach(copy.as_fd(), place.as_fd()).at("mount", path)
}

/// The console is the first terminal; it is bound over `/dev/console`.
fn console(root: BorrowedFd) -> Result<(OwnedFd, OwnedFd)> {
    let pts = resolve(root, Path::new("/dev/pts")).at("find", "/dev/pts")?;
    let (master, slave) = terminal::open(pts.as_fd()).at("open", "/dev/pts/ptmx")?;
    let first = resolve(pts.as_fd(), Path::new("0")).at("find", "/dev/pts/0")?;
    let copy = copy_of(first.as_fd()).at("open", "/dev/pts/0")?;
    let place = resolve(root, Path::new("/dev/console")).at("find", "/dev/console")?;
    attach(copy.as_fd(), place.as_fd()).at("mount", "/dev/console")?;
    Ok((master, slave))
}

fn enter_root(root: BorrowedFd) -> Result<()> {
    fchdir(root).at("enter", "root")?;
    pivot_root(".", ".").at("pivot to", "root")?;
    unmount(".", UnmountFlags::DETACH).at("unmount", "old root")?;
    chdir("/").at("enter", "/")?;
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change("/", shared).at("make shared", "/")
}

fn execute(inheritance: &Inheritance<'_>, console: BorrowedFd) -> Result<Infallible> {
    let process = &inheritance.spec.process;
    set_sysctls(inheritance.plan)?;
    enter_folder(Some(&process.cwd), &process.env)?;
    let link = &inheritance.link;
    link.hand_over(inheritance.confinement.enter()?)?;
    become_user(process.uid, process.gid, &process.groups)?;
    // Becoming another user has cleared it.
    die_with_parent()?;
    if process.reaper {
        let program = || link.run_second(|| become_program(inheritance, console));
        return Err(sys::run_below_reaper(program)).at("fork", &process.argv[0]);
    }
    become_program(inheritance, console)
}

fn become_program(inheritance: &Inheritance<'_>, console: BorrowedFd) -> Result<Infallible> {
    setsid().at("make", "session")?;
    terminal::control(console).at("connect", "console")?;
    sys::default_signals();
    sys::close_all_on_exec(3).at("close", "descriptors")?;
    inheritance.link.tell(&FromSecond::Executing, &[])?;
    Err(inheritance.program.execute()).at("execute", &inheritance.spec.process.argv[0])
}

fn set_sysctls(plan: &Plan) -> Result<()> {
    for (name, value) in &plan.sysctls {
        let file = Path::new("/proc/sys").join(name);
        fs::write(&file, value).at("write", &file)?;
    }
    Ok(())
}
