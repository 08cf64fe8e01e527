//! The clients, and what a command gave. Every command has a time limit.

use std::{
    fmt,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A command that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Our own.
    Cli,
    /// The stock one.
    Lxc,
}

impl Client {
    /// Both.
    pub const BOTH: [Client; 2] = [Client::Cli, Client::Lxc];
}

/// A command that ended.
pub struct Run {
    /// As it was typed.
    pub command: String,
    /// Exit status; 128 and the signal if one ended it.
    pub status: i32,
    /// What it wrote, byte for byte.
    pub stdout: Vec<u8>,
    /// What it complained of.
    pub stderr: String,
}

impl Run {
    /// Itself; fails when the command did.
    #[track_caller]
    pub fn ok(self) -> Run {
        assert!(self.status == 0, "a command failed: {self}");
        self
    }

    /// What it printed, without the last line end; fails when the command did.
    #[track_caller]
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.ok().stdout).trim_end().to_owned()
    }

    /// What it complained of; fails when the command did not.
    #[track_caller]
    pub fn fails(self) -> String {
        assert!(self.status != 0, "a command should have failed: {self}");
        assert!(!self.stderr.trim().is_empty(), "it failed without a word: {self}");
        self.stderr
    }

    /// The same, and the words are among it, whatever their case.
    #[track_caller]
    pub fn fails_with(self, words: &str) -> String {
        let shown = self.to_string();
        let stderr = self.fails();
        let said = stderr.to_lowercase().contains(&words.to_lowercase());
        assert!(said, "the complaint should name {words:?}: {shown}");
        stderr
    }

    /// What it printed, so far as it is text.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  $ {}\n  status {}", self.command, self.status)?;
        writeln!(f, "  stdout: {}", head(&self.shown()))?;
        write!(f, "  stderr: {}", head(&self.stderr))
    }
}

fn head(text: &str) -> String {
    text.trim_end().chars().take(4000).collect()
}

/// A command that goes on while the test does something else.
pub struct Background {
    words: String,
    child: Child,
    stdout: thread::JoinHandle<Vec<u8>>,
    stderr: thread::JoinHandle<Vec<u8>>,
    stdin: Option<thread::JoinHandle<()>>,
    limit: Duration,
}

impl Background {
    /// Starts it; `stdin` is written and closed.
    #[track_caller]
    pub fn start(mut command: Command, stdin: Vec<u8>) -> Background {
        let words = words(&command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {words}: {e}"));
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let input = child.stdin.take();
        let stdin = input.map(|mut input| {
            // A program need not read all it is given.
            thread::spawn(move || drop(input.write_all(&stdin)))
        });
        Background { words, child, stdout, stderr, stdin, limit: LIMIT }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it goes on.
    #[track_caller]
    pub fn runs(&mut self) -> bool {
        self.child
            .try_wait()
            .unwrap_or_else(|e| panic!("cannot wait for {}: {e}", self.words))
            .is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// How long it may take from now on.
    pub fn limit(mut self, limit: Duration) -> Background {
        self.limit = limit;
        self
    }

    /// Waits for its end. What takes too long is killed and fails.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let end = Instant::now() + self.limit;
        let mut pause = Duration::from_millis(1);
        let hung = loop {
            if !self.runs() {
                break false;
            }
            if Instant::now() > end {
                break true;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        if hung {
            self.signal(rustix::process::Signal::KILL);
        }
        let limit = self.limit;
        let run = self.gather();
        assert!(!hung, "hung for {limit:?}: {run}");
        run
    }

    fn gather(mut self) -> Run {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.wait().unwrap_or_default();
        let status = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(-1);
        drop(self.stdin.map(thread::JoinHandle::join));
        let text = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
        let stderr = String::from_utf8_lossy(&text(self.stderr)).into_owned();
        Run { command: self.words, status, stdout: text(self.stdout), stderr }
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What came before an error is worth showing.
            drop(from.read_to_end(&mut bytes));
        }
        bytes
    })
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program of the machine with its arguments.
pub fn program(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a program of the machine to its end.
#[track_caller]
pub fn host(words: &[&str]) -> Run {
    Background::start(program(words), Vec::new()).wait()
}
