//! Runs a program inside an instance, its input and output on websockets.
//!
//! The client gets a secret for each stream in the operation's metadata: `0` for a terminal, or
//! `0`, `1`, `2` for pipes, and `control` for window size and signals. The program starts when all
//! are connected, and lives on if the daemon dies.

use std::{
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::{ExecSpec, Stdio};
use serde_json::{Map, Value};
use tasks::{Expected, Message, Operation, Request, Socket};
use tokio::sync::{mpsc::Receiver, watch};
use wire::{ExecControl, InstanceExecPost, OperationClass};

use super::{
    guests::{Guest, Phase},
    options::Typed,
    program::Program,
    record,
    streams::Stream,
};
use crate::{Caller, Error, Result, World, expand, url, watched::watched};

/// How long a client has to connect its websockets.
const CONNECT: Duration = Duration::from_secs(30);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";

/// Runs a program.
pub fn exec(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    post: InstanceExecPost,
) -> Result<Operation> {
    if post.command.is_empty() {
        return Err(Error::invalid("command", "it is empty: a program is needed"));
    }
    if post.record_output && (post.interactive || post.wait_for_websocket) {
        let why = "only the output of a program without terminal and websockets is recorded: \
                   set interactive and wait-for-websocket to false";
        return Err(Error::invalid("record-output", why));
    }
    let guest = super::guest(world, project, name)?;
    if guest.spec().machine {
        super::machine::agent::check(&guest)?;
    }
    if guest.phase() == Phase::Frozen {
        let (name, hint) = (name.to_owned(), "resume it first: nothing runs in it");
        return Err(Error::State { name, is: "frozen", hint });
    }
    let spec = spec(world, project, name, &post)?;
    let class =
        if post.wait_for_websocket { OperationClass::Websocket } else { OperationClass::Task };
    let request = Request::new("Executing command")
        .project(project)
        .class(class)
        .resource("instances", url::instance(project, name))
        .requestor(caller.requestor.clone())
        .metadata("command", post.command.clone())
        .metadata("environment", Value::Object(variables(&post)))
        .metadata("interactive", post.interactive)
        .uncancellable();
    let wanted = post.wait_for_websocket.then_some(post.interactive);
    let held = world.clone();
    let work = async move |operation: Operation| match wanted {
        Some(interactive) => connected(&guest, spec, interactive, &operation).await,
        None if post.record_output => record::recorded(&held, &guest, spec, &operation).await,
        None => detached(&guest, spec, &operation).await,
    };
    let operation = world.operations.spawn(request, work)?;
    Ok(operation)
}

fn variables(post: &InstanceExecPost) -> Map<String, Value> {
    post.environment.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect()
}

/// The program with its whole environment: what every program has, the instance's own
/// `environment.*`, what the client asks for.
fn spec(world: &World, project: &str, name: &str, post: &InstanceExecPost) -> Result<ExecSpec> {
    let typed = world.store.read(|db| {
        let row = super::find(db, project, name)?;
        Typed::parse(&expand::expand(db, &row)?)
    })?;
    let mut env = std::collections::BTreeMap::new();
    env.insert(String::from("PATH"), String::from(PATH));
    env.insert(String::from("LANG"), String::from("C.UTF-8"));
    if post.user == 0 {
        env.insert(String::from("HOME"), String::from("/root"));
        env.insert(String::from("USER"), String::from("root"));
    }
    env.extend(typed.options.environment);
    env.extend(post.environment.clone());
    if post.interactive {
        env.entry(String::from("TERM")).or_insert_with(|| String::from("xterm"));
    }
    let size = |given: u16, usual: u16| if given == 0 { usual } else { given };
    Ok(ExecSpec {
        argv: post.command.clone(),
        env: env.into_iter().collect(),
        cwd: Some(post.cwd.clone()).filter(|cwd| !cwd.is_empty()).map(Into::into),
        uid: post.user,
        gid: post.group,
        groups: Vec::new(),
        tty: post.interactive.then(|| (size(post.width, 80), size(post.height, 24))),
    })
}

/// Runs it with nothing on its streams.
async fn detached(guest: &Guest, spec: ExecSpec, operation: &Operation) -> Result<()> {
    let exec = Program::start(guest, spec, false).await;
    let exec = exec.inspect_err(|error| tell_code(error, operation))?;
    let code = ended(&Mutex::new(exec)).await?;
    operation.set_metadata("return", code);
    Ok(())
}

/// Runs it with its streams on websockets.
async fn connected(
    guest: &Guest,
    spec: ExecSpec,
    interactive: bool,
    operation: &Operation,
) -> Result<()> {
    let names: &[&str] = if interactive { &["0"] } else { &["0", "1", "2"] };
    let seats: Vec<Expected> = names.iter().map(|_| operation.seat()).collect();
    // A client need not steer: some never connect that one (pylxd).
    let control = operation.optional_seat();
    let fds = names.iter().zip(&seats).chain([(&"control", &control)]);
    let fds = fds.map(|(name, seat)| ((*name).to_owned(), Value::from(seat.secret.clone())));
    operation.set_metadata("fds", Value::Object(fds.collect()));
    let sockets = arrive(seats).await?;
    let exec = Program::start(guest, spec, true).await;
    let mut exec = exec.inspect_err(|error| tell_code(error, operation))?;
    let stdio = exec.take_stdio();
    let exec = Arc::new(Mutex::new(exec));
    let (done, over) = watch::channel(false);
    let obey = tokio::spawn(obey_once_there(exec.clone(), control));
    let streams = tokio::spawn(streams(stdio, sockets, over));
    let code = ended(&exec).await;
    done.send_replace(true);
    // A panic there has lost output at worst; the exit code is known.
    let _ = streams.await;
    obey.abort();
    operation.set_metadata("return", code?);
    Ok(())
}

/// Gives a program that cannot be started the exit code a shell would give it.
pub(super) fn tell_code(error: &Error, operation: &Operation) {
    const NOT_FOUND: i32 = 127;
    const NOT_EXECUTABLE: i32 = 126;
    let Error::Runtime(runtime::Error::Step { operation: step, source, .. }) = error else {
        return;
    };
    if step == "execute" {
        let missing = source.kind() == std::io::ErrorKind::NotFound;
        operation.set_metadata("return", if missing { NOT_FOUND } else { NOT_EXECUTABLE });
    }
}

async fn arrive(seats: Vec<Expected>) -> Result<Vec<Socket>> {
    let all = futures_util::future::try_join_all(seats.into_iter().map(|seat| seat.arrived));
    match tokio::time::timeout(CONNECT, all).await {
        Ok(Ok(sockets)) => Ok(sockets),
        _ => Err(Error::invalid("websockets", "the client did not connect all of them in time")),
    }
}

/// Joins the program's streams with their websockets until it has ended and all was sent.
async fn streams(stdio: Stdio, sockets: Vec<Socket>, over: watch::Receiver<bool>) {
    let mut sockets = sockets.into_iter();
    match (stdio, sockets.next(), sockets.next(), sockets.next()) {
        (Stdio::Pty(fd), Some(socket), _, _) => both(fd, socket, over).await,
        (Stdio::Pipes { stdin, stdout, stderr }, Some(zero), Some(one), Some(two)) => {
            let Ok(input) = Stream::new(stdin) else { return };
            let feed = tokio::spawn(async move {
                let mut incoming = zero.incoming;
                input.pump_in(&mut incoming).await;
            });
            tokio::join!(out(stdout, one, over.clone()), out(stderr, two, over));
            feed.abort();
        }
        _ => {}
    }
}

async fn both(fd: std::os::fd::OwnedFd, socket: Socket, over: watch::Receiver<bool>) {
    let Ok(stream) = Stream::new(fd) else { return };
    let Socket { mut incoming, outgoing } = socket;
    tokio::select! {
        () = stream.pump_out(&outgoing, is_over(over)) => {}
        () = async {
            stream.pump_in(&mut incoming).await;
            std::future::pending().await
        } => {}
    }
}

async fn out(fd: std::os::fd::OwnedFd, socket: Socket, over: watch::Receiver<bool>) {
    if let Ok(stream) = Stream::new(fd) {
        stream.pump_out(&socket.outgoing, is_over(over)).await;
    }
}

pub(super) async fn is_over(mut over: watch::Receiver<bool>) {
    // An error means that the sender is gone: over too.
    let _ = over.wait_for(|over| *over).await;
}

async fn obey_once_there(exec: Arc<Mutex<Program>>, seat: Expected) {
    // An error means that the operation is over.
    if let Ok(socket) = seat.arrived.await {
        obey(exec, socket.incoming).await;
    }
}

/// Does what the client says on the control websocket; a client that goes away hangs up.
async fn obey(exec: Arc<Mutex<Program>>, mut incoming: Receiver<Message>) {
    const SIGHUP: i32 = 1;
    while let Some(message) = incoming.recv().await {
        let text = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes.as_ref(),
            Message::Close => break,
        };
        let Ok(command) = serde_json::from_slice::<ExecControl>(text) else { continue };
        let done = match (command.command.as_str(), command.args, command.signal) {
            ("window-resize", Some(size), _) => {
                let number = |text: &str| text.parse().unwrap_or(0);
                lock(&exec).resize(number(&size.width), number(&size.height))
            }
            ("signal", _, Some(signal)) => lock(&exec).signal(signal),
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::debug!(%error, "control message of exec");
        }
    }
    let _ = lock(&exec).signal(SIGHUP);
}

/// Waits for the end of the program and gives its exit code.
pub(super) async fn ended(exec: &Mutex<Program>) -> Result<i32> {
    let fd = lock(exec).as_fd().try_clone_to_owned();
    let readable = fd.and_then(watched).map_err(Error::file("watch", "a program".as_ref()))?;
    loop {
        let mut ready =
            readable.readable().await.map_err(Error::file("watch", "a program".as_ref()))?;
        match lock(exec).try_wait()? {
            Some(code) => return Ok(code),
            None => ready.clear_ready(),
        }
    }
}

fn lock(exec: &Mutex<Program>) -> MutexGuard<'_, Program> {
    exec.lock().unwrap_or_else(PoisonError::into_inner)
}
