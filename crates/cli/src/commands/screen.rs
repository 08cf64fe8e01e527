//! `console --type vga|vnc`: a viewer of this machine is shown the screen of an instance.
//!
//! The viewer speaks with a socket that only its user reaches; each connection there becomes a websocket.

use std::{path::Path, time::Duration};

use client::{Client, Screen, Socket};
use exec::viewer::Viewer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::sleep,
};
use wire::{ConsoleKind, InstanceConsolePost};

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Bytes that are read from a viewer at once.
const PIECE: usize = 64 << 10;
/// How often is looked whether the viewer still runs.
const LOOK: Duration = Duration::from_millis(100);

/// Viewers, best first, and how each is told of a socket.
type Viewers = [(&'static str, fn(&Path) -> String); 2];

const SPICE: Viewers = [
    ("remote-viewer", |socket| format!("spice+unix://{}", socket.display())),
    ("spicy", |socket| format!("--uri=spice+unix://{}", socket.display())),
];
const VNC: Viewers = [
    ("vncviewer", |socket| socket.display().to_string()),
    ("remote-viewer", |socket| format!("vnc+unix://{}", socket.display())),
];

/// Shows it until the viewer ends, ctrl-c comes, or the machine ends.
pub(super) async fn show(cx: &Context, instance: &str, kind: ConsoleKind) -> Result<u8> {
    let request = InstanceConsolePost { r#type: kind, ..InstanceConsolePost::default() };
    let (screen, control) = cx.client.screen(&cx.query(), instance, &request).await?;
    let folder = tempfile::Builder::new().prefix("microcloud-screen").tempdir();
    let folder = folder.map_err(Error::Stdio)?;
    let socket = folder.path().join("screen.sock");
    let bound = UnixListener::bind(&socket);
    let listener = bound.map_err(|source| Error::File { path: socket.clone(), source })?;
    let (viewers, scheme) = if kind == ConsoleKind::Vga { (SPICE, "spice") } else { (VNC, "vnc") };
    let installed = viewers.iter().find(|(program, _)| exec::installed(program));
    let viewer = match installed {
        Some((program, argument)) => Some(exec::viewer::start(program, &argument(&socket))?),
        None => {
            let [(one, _), (other, _)] = viewers;
            eprintln!("Neither {one} nor {other} is installed here.");
            eprintln!("The screen is at {scheme}+unix://{}", socket.display());
            eprintln!("Press ctrl-c to end.");
            None
        }
    };
    let ended = async {
        while viewer.as_ref().is_none_or(Viewer::runs) {
            sleep(LOOK).await;
        }
    };
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::Terminal)?;
    let done = async {
        tokio::select! {
            () = ended => {}
            _ = interrupted.recv() => {}
        }
    };
    serve(&cx.client, &screen, control, &listener, done).await?;
    Ok(OK)
}

async fn serve(
    client: &Client,
    screen: &Screen,
    control: Socket,
    listener: &UnixListener,
    done: impl Future<Output = ()>,
) -> Result<()> {
    let (mut told, mut control) = control.split();
    let mut views = JoinSet::new();
    tokio::pin!(done);
    loop {
        tokio::select! {
            () = &mut done => break,
            // The daemon closes it when the machine ends.
            said = told.next() => if said?.is_none() { break },
            viewer = listener.accept() => {
                let (viewer, _) = viewer.map_err(Error::Stdio)?;
                views.spawn(relay(viewer, client.view(screen).await?));
            }
            Some(_) = views.join_next() => {}
        }
    }
    Ok(control.close().await?)
}

/// One connection of the viewer's, until either side ends it.
async fn relay(viewer: UnixStream, socket: Socket) {
    let ((mut from_viewer, mut to_viewer), (mut from, mut to)) =
        (viewer.into_split(), socket.split());
    let show = async {
        while let Ok(Some(bytes)) = from.next().await {
            if to_viewer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    let tell = async {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = from_viewer.read(&mut piece).await {
            if to.send(piece[..read].to_vec()).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = show => {}
        () = tell => {}
    }
    let _ = to.close().await;
}
