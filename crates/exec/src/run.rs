//! Runs one program to its end.
//!
//! ```text
//! find -> start (own process group) -> watch: feed stdin, catch stdout and stderr -> reap
//!                                        | cancelled, out of time, too much output
//!                                        +-> SIGTERM, grace, SIGKILL to the group -> reap
//! ```
//! One thread, no helper threads: a poll over the pipes and the child's pidfd. A child's own
//! children that keep its pipes open do not hold us up once it has ended.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use crate::control::{Cancelled, Control};
use crate::error::{Error, Result};
use crate::find::find;
use crate::group::Group;
use crate::lines::last_lines;
use crate::pipes::{Catch, Feed, Keep, Stderr, Stdout};
use crate::tool::{Input, Output, Tool};

const STDERR_KEPT: usize = 64 << 10;
const STDERR_LINES: usize = 8;
/// How long a cancellation may go unnoticed.
const TICK: Duration = Duration::from_millis(50);

/// Runs `tool` and returns what it wrote. Blocks; nothing of its process group is left when it was
/// stopped early.
pub fn run(mut tool: Tool<'_>, control: &Control) -> Result<Output> {
    let command = tool.shown();
    if control.cancelled() {
        return Err(Error::Cancelled { command, source: Cancelled });
    }
    let mut watch = start(&mut tool, &command)?;
    let ended = watch.until_end(&mut tool, control);
    let (stdout, stderr) = (watch.stdout.kept, watch.stderr.kept);
    let said = last_lines(&stderr, STDERR_LINES);
    let (end, status) = match ended {
        Ok(end) => match watch.group.reap(end != End::Itself) {
            Ok(status) => (end, status),
            Err(source) => return Err(Error::Watch { command, source }),
        },
        Err(source) => return Err(Error::Watch { command, source }),
    };
    match end {
        End::Itself => finish(&tool, command, status, stdout, stderr),
        End::Cancelled => Err(Error::Cancelled { command, source: Cancelled }),
        End::Timeout => Err(Error::Timeout { command, limit: tool.timeout, stderr: said }),
        End::TooMuch => Err(Error::TooMuchOutput { command, limit: tool.stdout_limit }),
    }
}

fn finish(
    tool: &Tool<'_>,
    command: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
) -> Result<Output> {
    match status.code() {
        Some(code) if tool.accepted.contains(&code) => Ok(Output { stdout, stderr, code }),
        _ => Err(Error::Failed { command, status, stderr: last_lines(&stderr, STDERR_LINES) }),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
fn start(tool: &mut Tool<'_>, command: &str) -> Result<Watch> {
    let Some(path) = find(tool.program) else {
        return Err(Error::Missing { program: tool.program, package: tool.package });
    };
    let (stdin, bytes) = match std::mem::replace(&mut tool.input, Input::Nothing) {
        Input::Nothing => (Stdio::null(), Vec::new()),
        Input::Bytes(bytes) => (Stdio::piped(), bytes),
        Input::File(file) => (file.into(), Vec::new()),
    };
    let stdout = tool.stdout.take().map_or_else(Stdio::piped, Stdio::from);
    let folder = tool.folder.as_deref().unwrap_or("/".as_ref());
    let child = Command::new(path)
        .arg0(tool.program)
        .args(&tool.args)
        .env_clear()
        .envs(tool.env.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|source| Error::Start { command: command.to_owned(), source })?;
    Group::new(child)
        .and_then(|group| Watch::new(group, bytes, tool.stdout_limit))
        .map_err(|source| Error::Watch { command: command.to_owned(), source })
}

/// Why a run came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Itself,
    Cancelled,
    Timeout,
    TooMuch,
}

struct Watch {
    group: Group,
    stdin: Feed,
    stdout: Stdout,
    stderr: Stderr,
}

impl Watch {
    fn new(mut group: Group, input: Vec<u8>, limit: usize) -> io::Result<Watch> {
        let stdin = Feed::new(group.child.stdin.take(), input)?;
        let stdout = Catch::new(group.child.stdout.take(), Keep::First(limit))?;
        let stderr = Catch::new(group.child.stderr.take(), Keep::Last(STDERR_KEPT))?;
        Ok(Watch { group, stdin, stdout, stderr })
    }

    /// Returns when the child has ended (not yet reaped) or has had its grace.
    fn until_end(&mut self, tool: &mut Tool<'_>, control: &Control) -> io::Result<End> {
        let deadline = Instant::now() + tool.timeout;
        let mut stopping: Option<(End, Instant)> = None;
        loop {
            let ended = self.wait()?;
            self.pump(tool)?;
            if ended {
                self.finish(tool);
                return Ok(stopping.map_or(self.full().unwrap_or(End::Itself), |(why, _)| why));
            }
            match stopping {
                Some((why, kill_at)) if Instant::now() >= kill_at => return Ok(why),
                Some(_) => {}
                None => {
                    if let Some(why) = self.reason_to_stop(deadline, control) {
                        self.group.signal(Signal::TERM);
                        stopping = Some((why, Instant::now() + tool.grace));
                    }
                }
            }
        }
    }

    fn reason_to_stop(&self, deadline: Instant, control: &Control) -> Option<End> {
        if control.cancelled() {
            return Some(End::Cancelled);
        }
        if Instant::now() >= deadline {
            return Some(End::Timeout);
        }
        self.full()
    }

    fn full(&self) -> Option<End> {
        self.stdout.overflow.then_some(End::TooMuch)
    }

    /// Sleeps until a pipe is ready, a tick has passed or the child has ended (true).
    fn wait(&self) -> io::Result<bool> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.group.exit(), PollFlags::IN)];
        let outputs = [self.stdout.fd(), self.stderr.fd()].into_iter().flatten();
        fds.extend(outputs.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.stdin.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        match poll(&mut fds, Some(&tick)) {
            Ok(_) => Ok(fds[0].revents().contains(PollFlags::IN)),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn pump(&mut self, tool: &mut Tool<'_>) -> io::Result<()> {
        let mut ignore = |_: &str| {};
        let on_line = tool.on_line.as_deref_mut().unwrap_or(&mut ignore);
        self.stdin.push()?;
        self.stdout.pull(on_line)?;
        self.stderr.pull(on_line)
    }

    fn finish(&mut self, tool: &mut Tool<'_>) {
        if let Some(on_line) = tool.on_line.as_deref_mut() {
            self.stdout.finish(on_line);
            self.stderr.finish(on_line);
        }
    }
}
