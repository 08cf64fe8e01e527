//! `console`: attach to an instance's console, or show what it said.

use client::Sender;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use wire::{
    ConsoleKind, ExecControl, InstanceConsolePost, endpoints::instances::InstanceConsoleLog,
};

use super::{OK, screen};
use crate::{
    context::Context,
    error::{Error, Result},
    stdout,
    terminal::{self, Raw},
};

/// Attaches to a console; ctrl-a q leaves it.
#[derive(Debug, clap::Args)]
pub(crate) struct Console {
    /// Instance
    instance: String,
    /// Show what the console said so far
    #[arg(long)]
    show_log: bool,
    /// Throw out who is attached already
    #[arg(long)]
    force: bool,
    /// Text, or the screen of a virtual machine in SPICE or in VNC
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = ["console", "vga", "vnc"])]
    kind: Option<String>,
}

impl Console {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        if self.show_log {
            let mut log = Vec::new();
            let request = cx.client.request::<InstanceConsoleLog>(&[&self.instance]);
            request.query(&cx.query())?.download(&mut log).await?;
            stdout::write_bytes(&log);
            return Ok(OK);
        }
        match self.kind.as_deref() {
            Some("vga") => return screen::show(cx, &self.instance, ConsoleKind::Vga).await,
            Some("vnc") => return screen::show(cx, &self.instance, ConsoleKind::Vnc).await,
            _ => {}
        }
        if !terminal::is_interactive() {
            return Err(Error::Usage("a console needs a terminal; --show-log works without one"));
        }
        self.attach(cx).await
    }

    async fn attach(self, cx: &Context) -> Result<u8> {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let request =
            InstanceConsolePost { width, height, r#type: ConsoleKind::Console, force: self.force };
        let console = cx.client.console(&cx.query(), &self.instance, &request).await?;
        eprintln!("Attached to the console of {}; press ctrl-a q to leave.", self.instance);
        let raw = Raw::enter()?;
        let (mut output, mut keys) = console.stream.split();
        let (_control_in, control) = console.control.split();
        let show = async {
            while let Some(bytes) = output.next().await? {
                stdout::write_bytes(&bytes);
            }
            Ok::<_, Error>(())
        };
        let ended = tokio::select! {
            ended = show => ended,
            left = type_keys(terminal::input(), &mut keys) => left,
            never = follow_size(control) => never,
        };
        drop(raw);
        eprintln!();
        keys.close().await?;
        ended.map(|()| OK)
    }
}

/// Sends keys until the user leaves.
async fn type_keys(mut input: mpsc::Receiver<Vec<u8>>, to: &mut Sender) -> Result<()> {
    let mut escape = Escape::default();
    while let Some(keys) = input.recv().await {
        let (send, leave) = escape.filter(&keys);
        if !send.is_empty() {
            to.send(send).await?;
        }
        if leave {
            break;
        }
    }
    Ok(())
}

/// Tells of every new size of the terminal; does not return.
async fn follow_size(mut control: Sender) -> Result<()> {
    let mut changes = signal(SignalKind::window_change()).map_err(Error::Terminal)?;
    while changes.recv().await.is_some() {
        if let Some((width, height)) = terminal::size() {
            control.control(&ExecControl::resize(width, height)).await?;
        }
    }
    std::future::pending().await
}

/// Ctrl-a.
const PREFIX: u8 = 1;

/// Watches for ctrl-a q. Any other key after ctrl-a goes through with it.
#[derive(Debug, Default)]
struct Escape {
    pending: bool,
}

impl Escape {
    /// The keys to send, and whether to leave after them.
    fn filter(&mut self, keys: &[u8]) -> (Vec<u8>, bool) {
        let mut send = Vec::with_capacity(keys.len());
        for &key in keys {
            match (std::mem::take(&mut self.pending), key) {
                (true, b'q') => return (send, true),
                (true, key) => send.extend([PREFIX, key]),
                (false, PREFIX) => self.pending = true,
                (false, key) => send.push(key),
            }
        }
        (send, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_q_leaves() {
        assert_eq!(Escape::default().filter(b"ls\r\x01qmore"), (b"ls\r".to_vec(), true));
    }

    #[test]
    fn the_two_keys_may_come_apart() {
        let mut escape = Escape::default();
        assert_eq!(escape.filter(b"\x01"), (Vec::new(), false));
        assert_eq!(escape.filter(b"q"), (Vec::new(), true));
    }

    #[test]
    fn other_keys_go_through() {
        let mut escape = Escape::default();
        assert_eq!(escape.filter(b"\x01a\x01\x01q"), (b"\x01a\x01\x01q".to_vec(), false));
    }
}
