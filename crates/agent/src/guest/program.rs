//! One program: how it is started, and what is held of it while it runs.
//!
//! Two tasks read its output until its end, one waits for it. They hold only what they need: when
//! the connection is gone, output is read and thrown away, so that the program goes on.

use std::{
    ffi::CString,
    fs::OpenOptions,
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use runtime::ExecSpec;
use rustix::{
    fs::{Gid, Uid, fchown},
    process::{WaitId, WaitIdOptions, WaitIdStatus, waitid},
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use sys::{Child, Image, Program, Step, spawn_program};
use tokio::{
    io::AsyncReadExt,
    sync::{mpsc, watch},
};

use super::reply::Refusal;
use crate::{limits, watched::Watched};

/// Group `tty`, as the kernel's documentation of devpts and every distribution have it.
const TTY: u32 = 5;
/// Bytes of a program that has ended which are still read: as many as a pipe can hold, unless root
/// has allowed more. A child that goes on writing is not listened to for ever.
const LAST_WORDS: usize = 1 << 20;
/// What programs get as `oom_score_adj`: not the protection of the agent.
const USUAL_SCORE: &std::ffi::CStr = c"0";

/// The agent's ends.
#[derive(Default)]
struct Ends {
    input: Option<OwnedFd>,
    outputs: [Option<OwnedFd>; 2],
    terminal: Option<OwnedFd>,
}

/// Just started.
pub(super) struct Born {
    child: Child,
    ends: Ends,
}

/// Starts it. Blocks until it was executed.
pub(super) fn start(spec: &ExecSpec, null: bool) -> Result<Born, Refusal> {
    let program = spec.argv.first().map_or("", String::as_str);
    let nul = || Refusal::at("read", "argv, env", &io::ErrorKind::InvalidInput.into());
    if program.is_empty() {
        return Err(nul());
    }
    let image = Image::new(&spec.argv, &spec.env).map_err(|_| nul())?;
    let folders = folders(spec).ok_or_else(nul)?;
    let folders: Vec<_> = folders.iter().map(CString::as_c_str).collect();
    let wired = wire(spec, null).map_err(|error| Refusal::at("make", "pipes", &error))?;
    let (stdio, ends) = wired;
    let [input, output, error] = &stdio;
    let started = spawn_program(&Program {
        image: &image,
        folders: &folders,
        stdio: [input.as_fd(), output.as_fd(), error.as_fd()],
        terminal: ends.terminal.is_some(),
        uid: spec.uid,
        gid: spec.gid,
        groups: &spec.groups,
        oom_score: USUAL_SCORE,
    });
    let child = started.map_err(|(step, error)| match step {
        Step::Execute => Refusal::at("execute", program, &error),
        Step::Enter => Refusal::at("enter", folder_name(spec), &error),
        Step::Become => Refusal::at("become", format!("user {}", spec.uid), &error),
        Step::Connect => Refusal::at("connect", "pipes", &error),
        Step::Start => Refusal::at("fork", "program", &error),
    })?;
    Ok(Born { child, ends })
}

/// A missing home is no error, a missing folder that was named is.
fn folders(spec: &ExecSpec) -> Option<Vec<CString>> {
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
    match &spec.cwd {
        Some(path) => Some(vec![text(path)?]),
        None => {
            let home = spec.env.iter().find(|(key, _)| key == "HOME").map_or("/", |(_, home)| home);
            Some(vec![text(home.as_ref())?, c"/".into()])
        }
    }
}

fn folder_name(spec: &ExecSpec) -> String {
    spec.cwd.as_deref().unwrap_or(Path::new("/")).display().to_string()
}

/// Its standard descriptors, and the other ends of them.
fn wire(spec: &ExecSpec, null: bool) -> io::Result<([OwnedFd; 3], Ends)> {
    match spec.tty {
        _ if null => {
            let null: OwnedFd = OpenOptions::new().read(true).write(true).open("/dev/null")?.into();
            Ok(([null.try_clone()?, null.try_clone()?, null], Ends::default()))
        }
        Some(size) => terminal(spec.uid, size),
        None => pipes(spec.uid),
    }
}

fn terminal(uid: u32, (width, height): (u16, u16)) -> io::Result<([OwnedFd; 3], Ends)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    tcsetwinsize(&master, window(width, height))?;
    fchown(&slave, Some(Uid::from_raw(uid)), Some(Gid::from_raw(TTY)))?;
    let ends = Ends {
        input: Some(master.try_clone()?),
        outputs: [Some(master.try_clone()?), None],
        terminal: Some(master),
    };
    Ok(([slave.try_clone()?, slave.try_clone()?, slave], ends))
}

fn window(width: u16, height: u16) -> Winsize {
    Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Pipes belong to the program's user: it may open `/dev/stdout` again.
fn pipes(uid: u32) -> io::Result<([OwnedFd; 3], Ends)> {
    let ((stdin, input), (out, stdout), (err, stderr)) = (io::pipe()?, io::pipe()?, io::pipe()?);
    let stdio: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
    for pipe in &stdio {
        fchown(pipe, Some(Uid::from_raw(uid)), None)?;
    }
    let outputs = [Some(out.into()), Some(err.into())];
    Ok((stdio, Ends { input: Some(input.into()), outputs, terminal: None }))
}

type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// A program that runs, or has ended and was not yet forgotten.
pub(super) struct Running {
    pub(super) pid: i32,
    pidfd: OwnedFd,
    terminal: Option<OwnedFd>,
    streams: Mutex<(Option<Watched>, [Option<Pieces>; 2])>,
    code: watch::Receiver<Option<i32>>,
}

/// Starts the tasks that go with it.
pub(super) fn follow(born: Born) -> io::Result<Arc<Running>> {
    let Born { child, ends } = born;
    let (told, code) = watch::channel(None);
    let waiting = Watched::new(child.pidfd.try_clone()?)?;
    let input = ends.input.map(Watched::new).transpose()?;
    let mut outputs = [None, None];
    for (from, to) in ends.outputs.into_iter().zip(&mut outputs) {
        let Some(from) = from.map(Watched::new).transpose()? else { continue };
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(pump(from, sender, code.clone()));
        *to = Some(receiver);
    }
    tokio::spawn(async move { told.send_replace(Some(ended(&waiting).await)) });
    Ok(Arc::new(Running {
        pid: child.pid,
        pidfd: child.pidfd,
        terminal: ends.terminal,
        streams: Mutex::new((input, outputs)),
        code,
    }))
}

impl Running {
    pub(super) fn take_input(&self) -> Option<Watched> {
        self.streams().0.take()
    }

    pub(super) fn take_output(&self, which: usize) -> Option<Pieces> {
        self.streams().1.get_mut(which)?.take()
    }

    pub(super) async fn ended(&self) -> i32 {
        let mut code = self.code.clone();
        // It is told before its sender goes.
        code.wait_for(Option::is_some).await.ok().and_then(|code| *code).unwrap_or(-1)
    }

    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        match sys::signal_process(self.pidfd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Ok(())
            }
            result => result,
        }
    }

    pub(super) fn resize(&self, width: u16, height: u16) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        Ok(tcsetwinsize(terminal, window(width, height))?)
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, (Option<Watched>, [Option<Pieces>; 2])> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its exit code, or 128 and the signal that killed it.
async fn ended(pidfd: &Watched) -> i32 {
    // It is readable when the program has ended; an error is found out by waiting all the same.
    let _ = pidfd.readable().await;
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    let code = |status: WaitIdStatus| {
        status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal))
    };
    status.ok().flatten().and_then(code).unwrap_or(-1)
}

/// Passes on what it writes: to the end, or until it has ended and what it wrote was read. What a
/// child of it still holds open is not waited for.
async fn pump(
    mut from: Watched,
    to: mpsc::Sender<io::Result<Bytes>>,
    mut code: watch::Receiver<Option<i32>>,
) {
    let mut to = Some(to);
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(limits::BLOCK);
        let read = tokio::select! {
            biased;
            _ = code.wait_for(Option::is_some) => break,
            read = from.read_buf(&mut buffer) => read,
        };
        match read {
            Ok(1..) => pass(&mut to, &mut buffer).await,
            _ => return,
        }
    }
    let mut left = LAST_WORDS;
    while left > 0 {
        buffer.resize(limits::BLOCK.min(left), 0);
        let Ok(read @ 1..) = from.read_now(&mut buffer) else { return };
        buffer.truncate(read);
        left -= read;
        pass(&mut to, &mut buffer).await;
    }
}

async fn pass(to: &mut Option<mpsc::Sender<io::Result<Bytes>>>, buffer: &mut BytesMut) {
    let bytes = buffer.split().freeze();
    if let Some(sender) = to
        && sender.send(Ok(bytes)).await.is_err()
    {
        *to = None;
    }
}
