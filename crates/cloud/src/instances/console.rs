//! The console of an instance: attach to it, read what it said.

use std::{pin::pin, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tasks::{Message, Operation, Request, Socket};
use wire::{ExecControl, InstanceConsolePost, OperationClass};

use super::{guests::Guest, machine, streams::Stream};
use crate::{Caller, Error, Result, World, blocking::blocking, disk::absent_is_done, names, url};

/// How long a client may take to open its websockets.
pub(super) const CONNECT: Duration = Duration::from_secs(30);

/// How long what was typed last may take to be written once the client is about to leave.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Attaches to the console.
pub fn attach(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    post: InstanceConsolePost,
) -> Result<Operation> {
    let guest = super::guest(world, project, name)?;
    let screen = machine::screen::socket(post.r#type);
    if let Some(socket) = screen {
        machine::screen::check(world, &guest, socket)?;
    }
    let turn = match screen {
        Some(_) => None,
        None => Some(guest.take_console(post.force).ok_or_else(|| {
            let (is, hint) = ("attached to a console already", "--force takes it over");
            Error::State { name: name.to_owned(), is, hint }
        })?),
    };
    let request = Request::new("Showing console")
        .project(project)
        .class(OperationClass::Websocket)
        .resource("instances", url::instance(project, name))
        .requestor(caller.requestor.clone())
        .uncancellable();
    let (world, size) = (world.clone(), (post.width, post.height));
    let operations = world.operations.clone();
    let work = async move |operation: Operation| match (screen, turn) {
        (Some(socket), _) => machine::screen::show(&world, &guest, socket, &operation).await,
        (None, Some(turn)) => tokio::select! {
            done = session(&guest, size, &operation) => done,
            // Another has it now.
            _ = turn => Ok(()),
        },
        (None, None) => Ok(()),
    };
    Ok(operations.spawn(request, work)?)
}

async fn session(guest: &Guest, size: (u16, u16), operation: &Operation) -> Result<()> {
    let (data, control) = (operation.seat(), operation.seat());
    tell(operation, &data.secret, &control.secret);
    let both = async { tokio::try_join!(data.arrived, control.arrived) };
    let Ok(Ok((data, control))) = tokio::time::timeout(CONNECT, both).await else {
        return Err(Error::invalid("websockets", "the client did not connect both in time"));
    };
    let held = guest.clone();
    let console = blocking("console", move || {
        if size != (0, 0) {
            held.monitor().resize_console(size.0, size.1)?;
        }
        held.monitor().console()
    });
    let stream =
        Stream::new(console.await?.stream).map_err(Error::file("watch", "console".as_ref()))?;
    let Socket { mut incoming, outgoing } = data;
    let input = async {
        let mut typed = pin!(stream.pump_in(&mut incoming));
        tokio::select! {
            () = &mut typed => {}
            // Both websockets are closed at once, and nobody knows which is heard of first: what was typed before is written.
            () = obey(guest, control) => drop(tokio::time::timeout(LAST_WORDS, typed).await),
        }
    };
    tokio::select! {
        () = stream.pump_out(&outgoing, guest.gone()) => {}
        () = input => {}
    }
    Ok(())
}

/// Tells the client the secrets of its websockets.
pub(super) fn tell(operation: &Operation, data: &str, control: &str) {
    let mut fds = Map::new();
    fds.insert(String::from("0"), data.into());
    fds.insert(String::from("control"), control.into());
    operation.set_metadata("fds", Value::Object(fds));
}

/// Window sizes; ends when the client closes it.
async fn obey(guest: &Guest, mut control: Socket) {
    while let Some(message) = control.incoming.recv().await {
        let Message::Text(text) = message else { return };
        let Ok(ExecControl { args: Some(size), .. }) = serde_json::from_str(&text) else {
            continue;
        };
        let number = |text: &str| text.parse().unwrap_or(0);
        let (width, height) = (number(&size.width), number(&size.height));
        let held = guest.clone();
        let set = blocking("resize console", move || held.monitor().resize_console(width, height));
        if let Err(error) = set.await {
            tracing::debug!(%error, "console size");
        }
    }
}

/// What the console said: of a running instance from its monitor, else from the file it left.
pub async fn log(world: &World, project: &str, name: &str) -> Result<Vec<u8>> {
    world.store.read(|db| super::find(db, project, name))?;
    if let Some(guest) = world.guests.get(project, name) {
        return blocking("console log", move || guest.monitor().console_log()).await;
    }
    let file = world.dirs.log(&names::instance_id(project, name)).join("console.log");
    match tokio::fs::read(&file).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(Error::file("read", &file)),
    }
}

/// Empties the file that a stopped instance left.
pub async fn clear(world: &World, project: &str, name: &str) -> Result<()> {
    world.store.read(|db| super::find(db, project, name))?;
    let file = world.dirs.log(&names::instance_id(project, name)).join("console.log");
    absent_is_done(tokio::fs::remove_file(&file).await, "remove", &file)
}
