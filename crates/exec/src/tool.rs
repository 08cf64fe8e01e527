//! What is to be run, and what came out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::find::search_path;

/// Long enough for a program that asks the kernel for something, short enough for a user.
const TIMEOUT: Duration = Duration::from_secs(60);
/// After the polite signal and before the deadly one.
const GRACE: Duration = Duration::from_secs(3);
const STDOUT_LIMIT: usize = 16 << 20;
const SHOWN: usize = 400;

/// One run of one program: a builder, consumed by [`crate::run`].
pub struct Tool<'a> {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) input: Input,
    pub(crate) stdout: Option<File>,
    pub(crate) timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) stdout_limit: usize,
    pub(crate) accepted: &'static [i32],
    pub(crate) on_line: Option<LineSink<'a>>,
}

type LineSink<'a> = Box<dyn FnMut(&str) + 'a>;

pub(crate) enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

impl<'a> Tool<'a> {
    /// Runs `program`, which Debian's `package` installs. It gets no input, a minimal environment
    /// (see [`Tool::inherit`]), a minute of time, and may write 16 MiB.
    pub fn new(program: &'static str, package: &'static str) -> Tool<'a> {
        Tool {
            program,
            package,
            args: Vec::new(),
            env: plain_env(),
            folder: None,
            input: Input::Nothing,
            stdout: None,
            timeout: TIMEOUT,
            grace: GRACE,
            stdout_limit: STDOUT_LIMIT,
            accepted: &[0],
            on_line: None,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets one variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Hands on these variables of our own environment, where set. Without it the program sees
    /// `PATH`, `HOME`, `LC_ALL` and `TMPDIR` only.
    pub fn inherit(mut self, names: &[&str]) -> Self {
        self.env.extend(
            names.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))),
        );
        self
    }

    /// The folder it runs in; `/` if not said.
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Bytes for its standard input, which is closed after them.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// A file, pipe or socket as its standard input.
    pub fn input_file(mut self, file: impl Into<File>) -> Self {
        self.input = Input::File(file.into());
        self
    }

    /// A file, pipe or socket as its standard output; [`Output::stdout`] stays empty then.
    pub fn output_file(mut self, file: impl Into<File>) -> Self {
        self.stdout = Some(file.into());
        self
    }

    /// The time it may take. There is no way to say "for ever": a tool that hangs must surface.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The time between SIGTERM and SIGKILL when it is stopped early, for tools that clean up.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How many bytes of standard output to keep at most; more is an error.
    pub fn stdout_limit(mut self, bytes: usize) -> Self {
        self.stdout_limit = bytes;
        self
    }

    /// Exit codes that are no failure, if not only 0.
    pub fn accept(mut self, codes: &'static [i32]) -> Self {
        self.accepted = codes;
        self
    }

    /// Called with each line of either output as it comes; a carriage return ends a line too.
    pub fn on_line(mut self, line: impl FnMut(&str) + 'a) -> Self {
        self.on_line = Some(Box::new(line));
        self
    }

    /// Program and arguments for error texts.
    pub(crate) fn shown(&self) -> String {
        let mut text = self.program.to_owned();
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            let plain = !arg.is_empty() && !arg.contains(char::is_whitespace);
            text += &if plain { format!(" {arg}") } else { format!(" '{arg}'") };
        }
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{} ...", &text[..end]),
            None => text,
        }
    }
}

/// What a program left behind.
#[derive(Debug)]
pub struct Output {
    /// All it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The last 64 KiB it wrote to its standard error.
    pub stderr: Vec<u8>,
    /// Its exit code, one of those accepted.
    pub code: i32,
}

impl Output {
    /// Standard output as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// What programs need to behave the same on every machine, and no more.
fn plain_env() -> Vec<(OsString, OsString)> {
    let mut env = vec![
        ("PATH".into(), search_path()),
        ("LC_ALL".into(), "C.UTF-8".into()),
        ("HOME".into(), std::env::var_os("HOME").unwrap_or_else(|| "/root".into())),
    ];
    env.extend(std::env::var_os("TMPDIR").map(|folder| ("TMPDIR".into(), folder)));
    env
}
