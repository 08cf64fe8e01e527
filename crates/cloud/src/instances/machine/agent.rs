//! The agent in a machine: who keeps connected with it, and who asks for it.
//!
//! QEMU holds the port open, whether or not anybody is in there who reads it. So the daemon asks for an answer
//! until there is one, and again when the guest was restarted or its agent ended.

use std::{path::Path, time::Duration};

use agent::Agent;
use vm::AGENT_SOCKET;

use super::{super::guests::Guest, drive, shares, trouble::Trouble};
use crate::{
    Error, Result, World,
    devlxd::{self, Desk},
    names,
};

/// How long one question for an answer stands; QEMU keeps it for an agent that is yet to come.
const QUESTION: Duration = Duration::from_secs(3600);
/// How long an agent that answered a moment ago may take.
const QUICK: Duration = Duration::from_secs(5);
/// How long one that was there before may take to be connected again: it comes from another member, from what was saved of
/// it, or this daemon has just begun. A program for it waits so long, as nobody knows of the change.
const RETURN: Duration = Duration::from_secs(15);
/// Between two tries to open the port.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps connected with a machine's agent for as long as it runs.
pub(crate) fn attend(world: &World, guest: &Guest) {
    let id = names::instance_id(guest.project(), guest.name());
    let (io, guest) = (world.dirs.machine(&id).join("io"), guest.clone());
    let desk = world.desk().cloned();
    tokio::spawn(async move {
        tokio::select! {
            () = guest.gone() => {}
            () = keep(&io, &guest, desk.as_ref()) => {}
        }
    });
}

/// The same for a machine whose guest was there already: it came from elsewhere, or ran before this daemon did.
pub(crate) fn attend_again(world: &World, guest: &Guest) {
    guest.expect_agent(RETURN);
    attend(world, guest);
}

async fn keep(io: &Path, guest: &Guest, desk: Option<&Desk>) {
    loop {
        if let Some(agent) = connect(io).await {
            let agent = by_vsock(guest).await.unwrap_or(agent);
            // A machine that was paused or resumed has the time it stopped at.
            if let Err(error) = agent.set_clock(clock::now()).await {
                tracing::debug!(name = guest.name(), %error, "the guest's clock");
            }
            guest.set_agent(Some(agent.clone()));
            devlxd::listen_by(desk, guest, &agent);
            shares::mount_all(guest, &agent).await;
            agent.closed().await;
            guest.set_agent(None);
            guest.devlxd().hush();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same agent past QEMU, where machine and agent have that.
async fn by_vsock(guest: &Guest) -> Option<Agent> {
    let number = vm::vsock_number(guest.qmp()?).await.ok().flatten()?;
    match Agent::connect_vsock(number, QUICK).await {
        Ok(agent) => {
            tracing::debug!(name = guest.name(), number, "its agent is reached by vsock");
            Some(agent)
        }
        Err(error) => {
            tracing::debug!(name = guest.name(), %error, "its agent is not reached by vsock");
            None
        }
    }
}

async fn connect(io: &Path) -> Option<Agent> {
    let stream = match vm::open_socket(io, AGENT_SOCKET).await {
        Ok(stream) => stream?,
        Err(error) => {
            tracing::debug!(%error, "the agent's port");
            return None;
        }
    };
    match Agent::connect(stream, QUESTION).await {
        Ok(agent) => Some(agent),
        Err(error) => {
            tracing::debug!(%error, "agent");
            None
        }
    }
}

/// Whether [`soon`] may find one.
///
/// # Errors
/// As of [`of`].
pub(crate) fn check(guest: &Guest) -> Result<()> {
    match of(guest) {
        Err(_) if guest.expects_agent() => Ok(()),
        found => found.map(drop),
    }
}

/// The agent of a machine that runs; one that was there a moment ago is waited for.
///
/// # Errors
/// As of [`of`].
pub(crate) async fn soon(guest: &Guest) -> Result<Agent> {
    if of(guest).is_err() {
        guest.await_agent().await;
    }
    of(guest)
}

/// The agent of a machine that runs.
///
/// # Errors
/// It is not there: the guest has not booted yet, or has none.
pub(crate) fn of(guest: &Guest) -> Result<Agent> {
    if guest.trouble() == Some(Trouble::Panicked) {
        let (is, hint) = ("a virtual machine whose kernel panicked", "restart it");
        return Err(Error::State { name: guest.name().to_owned(), is, hint });
    }
    guest.agent().ok_or_else(|| Error::State {
        name: guest.name().to_owned(),
        is: "a virtual machine whose agent is not running",
        hint: match drive::agent() {
            Some(_) => "wait until it has booted, or use its console",
            None => {
                "microcloud-agent is not installed beside microcloud: install it, then restart it"
            }
        },
    })
}
