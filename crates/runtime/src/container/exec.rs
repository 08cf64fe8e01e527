//! Running a program inside a container from outside.
//!
//! A first child joins the namespaces; a pid namespace takes only children in, so it forks the
//! second one, as the monitor's child, which becomes the program.

use std::{
    convert::Infallible,
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Gid, Uid, fchown},
    process::{WaitId, WaitIdOptions, setsid, waitid},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};
use spec::InstanceSpec;
use sys::{Fork, Image};

use super::{
    gate::{self, FromSecond, Link},
    identity::{become_root, become_user, enter_folder, image, set_rlimits},
    spawn::open_pidfd,
    terminal,
};
use crate::{
    ExecSpec,
    cgroup::Group,
    confine::Confinement,
    error::{At, Error, Result},
};

/// What its input and output are to be.
pub(crate) enum Wiring {
    New,
    Null,
    Given([OwnedFd; 3]),
}

/// A child on its way to become the program; what happens next comes through the gate, as with
/// init.
pub(crate) struct Starting {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) gate: OwnedFd,
    /// For the client: its ends of new pipes.
    pub(crate) theirs: Vec<OwnedFd>,
    /// Read ends kept open, so that the program outlives its client.
    pub(crate) kept: Vec<OwnedFd>,
}

struct Inheritance<'a> {
    instance: &'a InstanceSpec,
    spec: &'a ExecSpec,
    init: BorrowedFd<'a>,
    group: &'a Group,
    confinement: Confinement,
    program: Image,
    link: Link,
    /// `None`: a new terminal.
    stdio: Option<[OwnedFd; 3]>,
}

/// Starts a program; `init` is the pidfd of PID 1.
pub(crate) fn exec(
    instance: &InstanceSpec,
    group: &Group,
    init: BorrowedFd,
    spec: &ExecSpec,
    wiring: Wiring,
) -> Result<Starting> {
    if spec.argv.is_empty() {
        return Err(Error::Invalid { field: "argv: no program".into() });
    }
    let Pipes { stdio, theirs, kept } = wire(instance, spec, wiring).at("make", "pipes")?;
    let (ours, children) = gate::links()?;
    let mut ours = Some(ours);
    let inheritance = Inheritance {
        instance,
        spec,
        init,
        group,
        confinement: Confinement::of(instance)?,
        program: image(&spec.argv, &spec.env)?,
        link: children,
        stdio,
    };
    let leaf = group.open_exec()?;
    let how = Fork { cgroup: leaf.as_ref().map(File::as_fd), ..Fork::default() };
    let first = sys::fork(&how, || {
        ours.take();
        inheritance.link.run_first(|| join(&inheritance))
    })
    .at("fork", "program")?;
    drop(inheritance);
    let link = ours.take().ok_or(Error::Gone)?;
    let born = link.born();
    waitid(WaitId::PidFd(first.pidfd.as_fd()), WaitIdOptions::EXITED).at("wait for", "child")?;
    let pid = born?;
    Ok(Starting { pid, pidfd: open_pidfd(pid)?, gate: link.second, theirs, kept })
}

#[derive(Default)]
struct Pipes {
    stdio: Option<[OwnedFd; 3]>,
    theirs: Vec<OwnedFd>,
    kept: Vec<OwnedFd>,
}

fn wire(instance: &InstanceSpec, spec: &ExecSpec, wiring: Wiring) -> io::Result<Pipes> {
    match wiring {
        Wiring::Given(fds) => Ok(Pipes { stdio: Some(fds), ..Pipes::default() }),
        Wiring::New if spec.tty.is_some() => Ok(Pipes::default()),
        Wiring::New => pipes(instance, spec.uid),
        Wiring::Null => {
            let null: OwnedFd = OpenOptions::new().read(true).write(true).open("/dev/null")?.into();
            let stdio = Some([null.try_clone()?, null.try_clone()?, null]);
            Ok(Pipes { stdio, ..Pipes::default() })
        }
    }
}

/// New pipes belong to the program's user: it may open `/dev/stdout` again.
fn pipes(instance: &InstanceSpec, uid: u32) -> io::Result<Pipes> {
    let owner = instance.host_uid(uid).unwrap_or(instance.root_id());
    let (their_in, stdin) = {
        let (read, write) = io::pipe()?;
        (OwnedFd::from(write), OwnedFd::from(read))
    };
    let (their_out, stdout) = output()?;
    let (their_err, stderr) = output()?;
    for pipe in [&stdin, &stdout, &stderr] {
        fchown(pipe, Some(Uid::from_raw(owner)), Some(Gid::from_raw(instance.root_id())))?;
    }
    Ok(Pipes {
        kept: vec![their_out.try_clone()?, their_err.try_clone()?],
        theirs: vec![their_in, their_out, their_err],
        stdio: Some([stdin, stdout, stderr]),
    })
}

fn output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    Ok((read.into(), write.into()))
}

/// The first child.
fn join(inheritance: &Inheritance<'_>) -> Result<i32> {
    inheritance.group.join_v1()?;
    set_rlimits(None, &inheritance.instance.rlimits);
    let mut all = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::CONTROL_GROUP;
    if !inheritance.instance.privileged() {
        all |= ThreadNameSpaceType::USER;
    }
    move_into_thread_name_spaces(inheritance.init, all).at("join", "namespaces")?;
    let how = Fork { sibling: true, ..Fork::default() };
    let link = &inheritance.link;
    let second = sys::fork(&how, || link.run_second(|| become_program(inheritance)))
        .at("fork", "program")?;
    Ok(second.pid)
}

/// The second child.
fn become_program(inheritance: &Inheritance<'_>) -> Result<Infallible> {
    let spec = inheritance.spec;
    become_root()?;
    setsid().at("make", "session")?;
    match &inheritance.stdio {
        Some(stdio) => {
            let [stdin, stdout, stderr] = stdio;
            let stdio = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
            terminal::connect(stdio).at("connect", "pipes")?;
        }
        None => open_terminal(inheritance)?,
    }
    enter_folder(spec.cwd.as_deref(), &spec.env)?;
    inheritance.link.hand_over(inheritance.confinement.enter()?)?;
    become_user(spec.uid, spec.gid, &spec.groups)?;
    sys::default_signals();
    sys::close_all_on_exec(3).at("close", "descriptors")?;
    inheritance.link.tell(&FromSecond::Executing, &[])?;
    Err(inheritance.program.execute()).at("execute", &spec.argv[0])
}

/// A terminal of the container's, not of the host's.
fn open_terminal(inheritance: &Inheritance<'_>) -> Result<()> {
    /// Group `tty`, as the kernel's documentation of devpts and every distribution have it.
    const TTY: u32 = 5;
    let folder = crate::client::open_folder(Path::new("/dev/pts")).at("open", "/dev/pts")?;
    let (master, slave) = terminal::open(folder.as_fd()).at("open", "/dev/pts/ptmx")?;
    let (width, height) = inheritance.spec.tty.unwrap_or((80, 25));
    terminal::resize(master.as_fd(), width, height).at("resize", "terminal")?;
    let owner = (Some(Uid::from_raw(inheritance.spec.uid)), Some(Gid::from_raw(TTY)));
    fchown(&slave, owner.0, owner.1).at("give away", "terminal")?;
    inheritance.link.tell(&FromSecond::Ready, &[master.as_fd()])?;
    terminal::control(slave.as_fd()).at("connect", "terminal")
}
