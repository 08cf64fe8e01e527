//! What the daemon tells the systemd that started it (`sd_notify(3)`); nothing where none did.

use std::{os::unix::net::UnixDatagram, time::Duration};

/// How much more time the stop of instances asks for each time.
const MORE: Duration = Duration::from_secs(30);
/// How often; well before the time is up.
const EVERY: Duration = Duration::from_secs(10);

/// Tells how the service stands.
pub(crate) fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(state.as_bytes(), path));
    if let Err(error) = sent {
        tracing::debug!(%error, "systemd was not told");
    }
}

/// Does work that may take longer than the service has for its end: the limits are those of the
/// instances, not the unit's.
pub(crate) async fn patiently(work: impl Future<Output = ()>) {
    let asks = async {
        loop {
            tell(&format!("EXTEND_TIMEOUT_USEC={}", MORE.as_micros()));
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = asks => {}
    }
}
