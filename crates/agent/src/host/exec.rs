//! A program that runs inside, as the daemon sees it: like one of a container's.

use std::{
    future::pending,
    io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::net::UnixStream as StdStream,
};

use hyper::Method;
use runtime::{ExecIo, ExecSpec, Stdio};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncWrite},
    net::{UnixStream, unix::pipe},
    sync::{mpsc, oneshot, watch},
};

use super::{
    Agent,
    call::Requests,
    pump::{download, upload},
};
use crate::{
    body::Body,
    error::{Error, Result},
    limits,
    words::{Control, Ended, Start, Started},
};

/// How it ended; an error if nobody will ever know.
type Outcome = std::result::Result<i32, ()>;

/// A running program. It goes on when this is dropped; its output is then thrown away.
#[derive(Debug)]
pub struct Exec {
    pid: i32,
    stdio: Stdio,
    controls: mpsc::Sender<Control>,
    outcome: watch::Receiver<Option<Outcome>>,
    /// Its other end is closed when the outcome is known.
    over: OwnedFd,
    /// Dropped with it: the agent is told that nobody waits any more.
    _held: oneshot::Sender<()>,
}

impl Agent {
    /// Runs a program. Like those of a container it has pipes, or a terminal where
    /// [`ExecSpec::tty`] says so; in place of the terminal's master there is a socket.
    pub async fn exec(&self, spec: &ExecSpec, io: ExecIo<'_>) -> Result<Exec> {
        let made = Ends::make(spec, io);
        let (ends, stdio) = made.map_err(|source| Error::Local { verb: "make pipes", source })?;
        let (over, running) =
            io::pipe().map_err(|source| Error::Local { verb: "make a pipe", source })?;
        let start = Start { spec: spec.clone(), null: matches!(ends, Ends::Null) };
        let (controls, wanted) = mpsc::channel(limits::CONTROLS);
        let (told, outcome) = watch::channel(None);
        let (tell, heard) = oneshot::channel();
        let (held, dropped) = oneshot::channel();
        let requests = self.requests.clone();
        // A task, so that what was started is followed or given up even if the caller goes away.
        tokio::spawn(async move {
            let followed = |id| until_dropped(follow(&requests, id, ends, wanted), dropped);
            let (id, outcome) = match requests.number() {
                Some(id) => {
                    let path = format!("/1.0/exec/{id}");
                    let begun = begin(&requests, (Method::PUT, &path), &start, tell);
                    // All is asked for at once: the guest is woken once, and not for each stream after an answer.
                    (id, tokio::join!(begun, followed(id)).1)
                }
                None => {
                    let begun = begin(&requests, (Method::POST, "/1.0/exec"), &start, tell);
                    let Some(id) = begun.await else { return };
                    (id, followed(id).await)
                }
            };
            if outcome.is_some() {
                told.send_replace(outcome);
            }
            drop(running);
            let path = format!("/1.0/exec/{id}");
            let request = requests.request(Method::DELETE, &path, Body::empty());
            // If the connection is gone, the agent knows.
            let _ = requests.done("forget a program", request, limits::CALL).await;
        });
        let pid = heard.await.map_err(|_| Error::Gone)??;
        Ok(Exec { pid, stdio, controls, outcome, over: over.into(), _held: held })
    }
}

/// What came of it, unless nobody waits any more.
async fn until_dropped<T>(
    work: impl Future<Output = T>,
    dropped: oneshot::Receiver<()>,
) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = dropped => None,
    }
}

/// Starts it, and tells whoever asked; gives its id.
async fn begin(
    requests: &Requests,
    (method, path): (Method, &str),
    start: &Start,
    tell: oneshot::Sender<Result<i32>>,
) -> Option<u64> {
    let request = requests.json(method, path, start);
    let started = requests.whole::<Started>("start a program", request, limits::WORK).await;
    let id = started.as_ref().ok().map(|started| started.id);
    // Who asked may be gone; then so are both ends of what would have held it.
    let _ = tell.send(started.map(|started| started.pid));
    id
}

impl Exec {
    /// Its id as the guest counts.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The caller's ends of its input and output; once. Who stops reading has to close them, or the
    /// program hangs when they are full.
    pub fn take_stdio(&mut self) -> Stdio {
        mem::replace(&mut self.stdio, Stdio::None)
    }

    /// Sends it a signal; one that has ended is no error. Does not wait.
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.control(Control::Signal(signal))
    }

    /// Tells its terminal how large the window is; without a terminal, nothing happens. Does not
    /// wait.
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        self.control(Control::Resize(width, height))
    }

    /// Waits for its exit code, or 128 and the signal that killed it. All of its output is in the
    /// caller's pipes then, or was read: so it does not end before that is read.
    pub async fn wait(&self) -> Result<i32> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(code))) => Ok(*code),
            _ => Err(Error::Gone),
        }
    }

    /// The same if it is known; `None` while it runs. The descriptor is readable from then on.
    pub fn try_wait(&self) -> Result<Option<i32>> {
        match *self.outcome.borrow() {
            Some(Ok(code)) => Ok(Some(code)),
            Some(Err(())) => Err(Error::Gone),
            None => Ok(None),
        }
    }

    fn control(&self, control: Control) -> Result<()> {
        match self.controls.try_send(control) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Late { call: "obey" }),
            // It has ended.
            _ => Ok(()),
        }
    }
}

impl AsFd for Exec {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.over.as_fd()
    }
}

/// The daemon's own ends of a program's input and output.
enum Ends {
    Null,
    Terminal(UnixStream),
    Pipes(pipe::Receiver, pipe::Sender, pipe::Sender),
    Given([File; 3]),
}

impl Ends {
    fn make(spec: &ExecSpec, io: ExecIo<'_>) -> io::Result<(Ends, Stdio)> {
        match io {
            ExecIo::Null => Ok((Ends::Null, Stdio::None)),
            ExecIo::Given(fds) => {
                let [input, output, error] = fds.map(|fd| fd.try_clone_to_owned());
                let files = [input?, output?, error?].map(|fd| File::from_std(fd.into()));
                Ok((Ends::Given(files), Stdio::None))
            }
            ExecIo::New if spec.tty.is_some() => {
                let (ours, theirs) = StdStream::pair()?;
                ours.set_nonblocking(true)?;
                Ok((Ends::Terminal(UnixStream::from_std(ours)?), Stdio::Pty(theirs.into())))
            }
            ExecIo::New => {
                let (from, stdin) = io::pipe()?;
                let ((stdout, out), (stderr, err)) = (io::pipe()?, io::pipe()?);
                let ends = Ends::Pipes(
                    pipe::Receiver::from_owned_fd(from.into())?,
                    pipe::Sender::from_owned_fd(out.into())?,
                    pipe::Sender::from_owned_fd(err.into())?,
                );
                let (stdin, stdout, stderr) = (stdin.into(), stdout.into(), stderr.into());
                Ok((ends, Stdio::Pipes { stdin, stdout, stderr }))
            }
        }
    }
}

/// Joins a program's streams with ours and does what is wanted of it, until it has ended.
async fn follow(
    requests: &Requests,
    id: u64,
    ends: Ends,
    wanted: mpsc::Receiver<Control>,
) -> Outcome {
    let obey = obey(requests, id, wanted);
    let ended = async {
        match ends {
            Ends::Null => wait(requests, id).await,
            Ends::Terminal(stream) => {
                let (from, to) = stream.into_split();
                joined(requests, id, from, [Some(to), None]).await
            }
            Ends::Pipes(from, out, err) => joined(requests, id, from, [Some(out), Some(err)]).await,
            Ends::Given([from, out, err]) => {
                joined(requests, id, from, [Some(out), Some(err)]).await
            }
        }
    };
    tokio::select! {
        ended = ended => ended,
        () = async { obey.await; pending().await } => Err(()),
    }
}

/// Its output first, then its exit code: who learns of the end finds the last words there.
async fn joined<W: AsyncWrite + Unpin>(
    requests: &Requests,
    id: u64,
    from: impl AsyncRead + Unpin,
    to: [Option<W>; 2],
) -> Outcome {
    let path = |stream: u8| format!("/1.0/exec/{id}/{stream}");
    let input = path(0);
    let output = |stream, to: Option<W>| async move {
        match to {
            Some(to) => download(requests, &path(stream), to).await,
            None => Ok(()),
        }
    };
    let [out, err] = to;
    // Where one fails, nothing more will come: what the caller has not read then is all there is.
    let all = async { tokio::try_join!(output(1, out), output(2, err), wait(requests, id)) };
    let feed = async {
        upload(requests, &input, from).await;
        pending().await
    };
    tokio::select! {
        all = all => all.map(|((), (), code)| code),
        () = feed => Err(()),
    }
}

/// A program may run for ever, so this has no end of its own; a connection has.
async fn wait(requests: &Requests, id: u64) -> Outcome {
    let path = format!("/1.0/exec/{id}/wait");
    let request = requests.request(Method::GET, &path, Body::empty());
    let ended = requests.unhurried::<Ended>("wait for a program", request).await;
    ended.map(|ended| ended.code).map_err(drop)
}

/// One after the other, as they were asked for.
async fn obey(requests: &Requests, id: u64, mut wanted: mpsc::Receiver<Control>) {
    let path = format!("/1.0/exec/{id}/control");
    while let Some(control) = wanted.recv().await {
        let request = requests.json(Method::POST, &path, &control);
        // One that has just ended cannot be signalled, and nobody waits to hear of it.
        let _ = requests.done("obey", request, limits::CALL).await;
    }
}
