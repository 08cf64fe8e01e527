//! The screen of a machine, shown to a client that connects as often as its viewer does: SPICE has a connection
//! for the picture, one for the pointer, and so on.

use std::path::Path;

use tasks::{Message, Operation, Socket};
use tokio::task::JoinSet;
use wire::ConsoleKind;

use super::super::{console, guests::Guest, streams::Stream};
use crate::{Error, Result, World, names};

/// Connections of one client at the same time; SPICE opens about eight.
const CONNECTIONS: usize = 32;

/// Which socket of QEMU's shows it; `None` for a text console.
pub(crate) fn socket(kind: ConsoleKind) -> Option<&'static str> {
    match kind {
        ConsoleKind::Console => None,
        ConsoleKind::Vga => Some(vm::SPICE_SOCKET),
        ConsoleKind::Vnc => Some(vm::VNC_SOCKET),
    }
}

/// Fails when an instance has no such screen.
pub(crate) fn check(world: &World, guest: &Guest, socket: &'static str) -> Result<()> {
    if !guest.spec().machine {
        return Err(Error::invalid("console type", "a container has a text console only"));
    }
    let io = world.dirs.machine(&names::instance_id(guest.project(), guest.name())).join("io");
    let is_there = |name: &str| io.join(name).symlink_metadata().is_ok();
    if is_there(socket) {
        return Ok(());
    }
    let why = if is_there(vm::VNC_SOCKET) {
        "QEMU has no SPICE here: install Debian's package qemu-system-modules-spice and start the \
         instance again, or take console type vnc"
    } else {
        "a virtual machine that boots its image's kernel at once has no screen, but a text console"
    };
    Err(Error::invalid("console type", why))
}

/// Serves one client until it closes its control socket, or the machine ends.
pub(crate) async fn show(
    world: &World,
    guest: &Guest,
    socket: &'static str,
    operation: &Operation,
) -> Result<()> {
    let io = world.dirs.machine(&names::instance_id(guest.project(), guest.name())).join("io");
    let (mut door, control) = (operation.door(), operation.seat());
    console::tell(operation, &door.secret, &control.secret);
    let Ok(Ok(mut control)) = tokio::time::timeout(console::CONNECT, control.arrived).await else {
        return Err(Error::invalid("websockets", "the client did not connect in time"));
    };
    let mut viewers = JoinSet::new();
    loop {
        tokio::select! {
            Some(viewer) = door.arrivals.recv(), if viewers.len() < CONNECTIONS => {
                let (io, guest) = (io.clone(), guest.clone());
                viewers.spawn(async move { relay(&io, socket, &guest, viewer).await });
            }
            Some(_) = viewers.join_next() => {}
            () = closed(&mut control) => return Ok(()),
            () = guest.gone() => return Ok(()),
        }
    }
}

async fn closed(control: &mut Socket) {
    while !matches!(control.incoming.recv().await, None | Some(Message::Close)) {}
}

/// One connection, until one of its sides ends it.
async fn relay(io: &Path, socket: &str, guest: &Guest, viewer: Socket) {
    let stream = match vm::open_socket(io, socket).await {
        Ok(Some(stream)) => stream.into_std().and_then(|stream| Stream::new(stream.into())),
        Ok(None) => return,
        Err(error) => Err(error),
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(name = guest.name(), %error, "the machine's screen");
            return;
        }
    };
    let Socket { mut incoming, outgoing } = viewer;
    tokio::select! {
        () = stream.pump_out(&outgoing, guest.gone()) => {}
        () = stream.pump_in(&mut incoming) => {}
    }
}
