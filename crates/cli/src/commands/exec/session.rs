//! The life of one exec: bytes to and fro until the program has ended.
//!
//! ```text
//! keys ──> stdin socket          stdout, stderr sockets ──> here       operation ends ──> exit status
//! signals, window sizes ──> control socket
//! ```

use std::{
    future::pending,
    io::{Write, stderr, stdout},
};

use client::{Receiver, Sender, Streams};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use wire::{
    ExecControl, ExecMetadata, InstanceExecPost, Operation, endpoints::operations::OperationGet,
    query::NoQuery,
};

use crate::{
    context::Context,
    error::{self, Error, Result},
    terminal::{self, Raw},
};

/// Runs it; returns the program's exit status.
pub(super) async fn run(
    cx: &Context,
    instance: &str,
    request: &InstanceExecPost,
    no_input: bool,
) -> Result<u8> {
    let exec = cx.client.exec(&cx.query(), instance, request).await?;
    let raw = if request.interactive { Some(Raw::enter()?) } else { None };
    let input = if no_input { mpsc::channel(1).1 } else { terminal::input() };
    let (_control_in, control) = exec.control.split();
    let control = forward_control(control, request.interactive);
    let end = cx.client.wait(&exec.operation);
    let (stdin, output) = match exec.streams {
        Streams::Terminal(socket) => {
            let (receiver, sender) = socket.split();
            (sender, Output { stdout: receiver, stderr: None })
        }
        Streams::Pipes { stdin, stdout, stderr } => {
            let output = Output { stdout: stdout.split().0, stderr: Some(stderr.split().0) };
            (stdin.split().1, output)
        }
    };
    let end = async { tokio::try_join!(output.show(), async { Ok(end.await?) }) };
    let end = tokio::select! {
        end = end => end,
        never = aside(forward_input(input, stdin), control) => match never {},
    };
    drop(raw);
    match end {
        Ok(((), operation)) => Ok(status(&operation)?.unwrap_or(1)),
        Err(error) => not_started(cx, error).await,
    }
}

/// The program's exit status, if it is known.
fn status(operation: &Operation) -> Result<Option<u8>> {
    let metadata: ExecMetadata = operation.metadata_as().map_err(Error::Json)?;
    Ok(metadata.return_code.and_then(|code| u8::try_from(code).ok()))
}

/// The exit status for a program that cannot be started, after telling why: as a shell does.
async fn not_started(cx: &Context, error: Error) -> Result<u8> {
    let Error::Client(client::Error::Operation { id, .. }) = &error else { return Err(error) };
    let Ok(operation) = cx.client.get::<OperationGet>(&[id], &NoQuery {}).await else {
        return Err(error);
    };
    match status(&operation)? {
        Some(status) => {
            eprint!("{}", error::text(&error));
            Ok(status)
        }
        None => Err(error),
    }
}

/// Runs both as long as it takes; never returns.
async fn aside(
    input: impl Future<Output = ()>,
    control: impl Future<Output = ()>,
) -> std::convert::Infallible {
    tokio::join!(input, control);
    pending().await
}

/// What the program writes.
struct Output {
    stdout: Receiver,
    stderr: Option<Receiver>,
}

impl Output {
    async fn show(mut self) -> Result<()> {
        let errors = async {
            match &mut self.stderr {
                Some(receiver) => copy(receiver, stderr()).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(copy(&mut self.stdout, stdout()), errors).map(drop)
    }
}

async fn copy(from: &mut Receiver, mut to: impl Write) -> Result<()> {
    while let Some(bytes) = from.next().await? {
        to.write_all(&bytes).and_then(|()| to.flush()).map_err(Error::Stdio)?;
    }
    Ok(())
}

/// Sends what is typed. That the program no longer reads is no error.
async fn forward_input(mut input: mpsc::Receiver<Vec<u8>>, mut stdin: Sender) {
    while let Some(bytes) = input.recv().await {
        if stdin.send(bytes).await.is_err() {
            return;
        }
    }
    let _ = stdin.finish().await;
    // Kept open: on a terminal, output comes the same way.
    pending::<()>().await;
}

/// Signals a program may want to hear of. On a terminal ctrl-c comes as a key.
const SIGNALS: [SignalKind; 6] = [
    SignalKind::hangup(),
    SignalKind::interrupt(),
    SignalKind::quit(),
    SignalKind::terminate(),
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
];

/// Sends signals, and on a terminal its size whenever that changes.
async fn forward_control(mut control: Sender, interactive: bool) {
    let (sender, mut messages) = mpsc::channel(4);
    for kind in SIGNALS {
        spawn_forward(kind, sender.clone(), move || Some(ExecControl::signal(kind.as_raw_value())));
    }
    if interactive {
        spawn_forward(SignalKind::window_change(), sender, || {
            terminal::size().map(|(width, height)| ExecControl::resize(width, height))
        });
    }
    while let Some(message) = messages.recv().await {
        if control.control(&message).await.is_err() {
            break;
        }
    }
    pending::<()>().await;
}

fn spawn_forward(
    kind: SignalKind,
    sender: mpsc::Sender<ExecControl>,
    message: impl Fn() -> Option<ExecControl> + Send + 'static,
) {
    let Ok(mut signals) = signal(kind) else { return };
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            if let Some(message) = message()
                && sender.send(message).await.is_err()
            {
                return;
            }
        }
    });
}
