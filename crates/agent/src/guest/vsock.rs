//! The way past the port: a socket of vsock, where the machine's host has it.
//!
//! The port of virtio-serial is there always, and all bytes go through QEMU; this one the two kernels share. Anybody
//! on the host may connect: only its root is served.

use std::{io, os::fd::OwnedFd, thread, time::Duration};

use tokio::sync::mpsc;

use crate::watched::Watched;

/// Where the agent listens: one of root's.
pub(crate) const PORT: u32 = 951;
/// Before it is looked again whether there is such a thing.
const AGAIN: Duration = Duration::from_secs(5);

/// Serves hosts for ever. Within tokio.
pub(super) async fn attend() {
    let (arrived, mut hosts) = mpsc::channel(1);
    let listening = thread::Builder::new().name(String::from("vsock"));
    if listening.spawn(move || listen(&arrived)).is_err() {
        // The port is there.
        return;
    }
    while let Some(host) = hosts.recv().await {
        tokio::spawn(async move {
            // A host that goes comes again.
            let _ = serve(host).await;
        });
    }
}

async fn serve(host: OwnedFd) -> io::Result<bool> {
    super::serve(Watched::new(host)?).await
}

fn listen(arrived: &mpsc::Sender<OwnedFd>) {
    loop {
        // Without a card for it there is nothing to listen at, or nobody who comes.
        if let Ok(listener) = sys::listen_vsock(PORT) {
            while let Ok(host) = sys::accept_host(&listener) {
                if let Some(host) = host
                    && arrived.blocking_send(host).is_err()
                {
                    return;
                }
            }
        }
        thread::sleep(AGAIN);
    }
}
