//! Interfaces of another network namespace.
//!
//! A thread of its own enters the namespace and ends there: a thread of the runtime must never
//! (invariant: no setns inside tokio), since other tasks would go on in the wrong one.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

use crate::{Error, Interface, Result, interface, netlink};

/// The stack of the looking thread: it only sends two requests and reads the answers.
const STACK: usize = 256 * 1024;

/// All interfaces in a network namespace, with addresses and counters.
///
/// # Errors
/// The namespace cannot be entered, or the kernel does not answer.
pub async fn addresses_in(netns: OwnedFd) -> Result<Vec<Interface>> {
    let (tell, told) = oneshot::channel();
    let look = move || drop(tell.send(look(&netns)));
    let thread = std::thread::Builder::new().name("netns".into()).stack_size(STACK).spawn(look);
    thread.map_err(failed("make a thread for a look inside"))?;
    told.await.unwrap_or_else(|_| {
        Err(failed("look inside")(io::Error::other("the looking thread ended early")))
    })
}

fn look(netns: &OwnedFd) -> Result<Vec<Interface>> {
    let enter = move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network));
    enter.map_err(|errno| failed("enter")(errno.into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.map_err(failed("look inside"))?.block_on(async {
        let handle = netlink::connect().map_err(failed("look inside"))?;
        let links = netlink::links(&handle).await?;
        let addresses = netlink::addresses(&handle).await?;
        Ok(interface::assemble(&links, &addresses))
    })
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Namespace { action, source }
}
