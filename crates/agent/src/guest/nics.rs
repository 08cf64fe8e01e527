//! Names and MTUs of network cards as the host has them in its devices (`agent.nic_config`), given before the guest's own
//! network is set up; to one that is plugged later as soon as the kernel has found it.
//!
//! ```text
//! those that differ: down ──> a name that nobody has ──> the wanted name and MTU ──> up again, if it was
//! ```
//! By way of a name that nobody has, so that two can change places.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use futures_util::TryStreamExt;
use hyper::{Request, body::Incoming};
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec,
    packet_route::link::{LinkAttribute, LinkFlags, LinkMessage},
};

use rustix::io::Errno;
use tokio::time::{sleep, timeout};

use super::{
    reply::{self, Refusal, Reply},
    state::network::hwaddr,
};
use crate::{
    limits,
    words::{Nic, Nics},
};

/// How often a card is renamed that others bring up at once.
const RENAMES: usize = 10;
/// How often a card that was plugged is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Makes them so; what is wrong with one is told, and the others are changed.
pub async fn apply() -> Vec<String> {
    let program = std::env::current_exe().ok();
    let Some(folder) = program.as_deref().and_then(Path::parent) else { return Vec::new() };
    let text = match fs::read(folder.join(Nics::FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        text => text,
    };
    let wanted = text.and_then(|text| serde_json::from_slice(&text).map_err(io::Error::other));
    match wanted {
        Ok(wanted) => give(&wanted).await.unwrap_or_else(|error| vec![told(&error)]),
        Err(error) => vec![told(&error)],
    }
}

fn told(error: &io::Error) -> String {
    format!("network cards: {error}")
}

/// Makes those so that were plugged into a machine that runs.
pub(super) async fn put(request: Request<Incoming>) -> Reply {
    let wanted: Nics = reply::read(request).await?;
    let all: Vec<&str> = wanted.nics.iter().map(|nic| nic.hwaddr.as_str()).collect();
    let refused = |error| Refusal::at("name", all.join(", "), &error);
    let found = timeout(limits::PLUGGED, found(&wanted)).await;
    found.unwrap_or(Err(Errno::TIMEDOUT.into())).map_err(refused)?;
    match give(&wanted).await.map_err(refused)? {
        wrong if wrong.is_empty() => reply::done(),
        wrong => Err(refused(io::Error::other(wrong.join("; ")))),
    }
}

/// Until the kernel has found all of them.
async fn found(wanted: &Nics) -> io::Result<()> {
    let handle = connect()?;
    loop {
        let there = there(&handle).await?;
        if wanted.nics.iter().all(|nic| there.contains_key(&nic.hwaddr)) {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

fn connect() -> io::Result<Handle> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    // It ends with the handle.
    tokio::spawn(connection);
    Ok(handle)
}

/// The cards that there are, by their addresses.
async fn there(handle: &Handle) -> io::Result<BTreeMap<String, Card>> {
    let links: Vec<LinkMessage> =
        handle.link().get().execute().try_collect().await.map_err(io::Error::other)?;
    Ok(links.iter().filter_map(Card::of).collect())
}

async fn give(wanted: &Nics) -> io::Result<Vec<String>> {
    let handle = connect()?;
    let there = there(&handle).await?;
    let pairs = wanted.nics.iter().filter_map(|nic| Some((nic, there.get(&nic.hwaddr)?)));
    let differ: Vec<(&Nic, &Card)> = pairs.filter(|(nic, card)| card.differs(nic)).collect();
    let mut wrong = Vec::new();
    for (_, card) in differ.iter().filter(|(nic, card)| nic.name != card.name) {
        if let Err(error) = rename(&handle, card.index, &format!("mc-aside{}", card.index)).await {
            wrong.push(format!("{}: {error}", card.name));
        }
    }
    for (nic, card) in differ {
        let tell = |error| format!("{} as {}: {error}", card.name, nic.name);
        if nic.name != card.name
            && let Err(error) = rename(&handle, card.index, &nic.name).await
        {
            wrong.push(tell(error));
            wrong.extend(rename(&handle, card.index, &card.name).await.err().map(tell));
        }
        let mtu = nic.mtu.map(|mtu| change(card.index).mtu(mtu).build());
        let up = card.up.then(|| change(card.index).up().build());
        for message in mtu.into_iter().chain(up) {
            wrong.extend(set(&handle, message).await.err().map(tell));
        }
    }
    Ok(wrong)
}

/// One that is up cannot be renamed, and others may bring it up meanwhile.
async fn rename(handle: &Handle, index: u32, name: &str) -> io::Result<()> {
    let mut done = Ok(());
    for _ in 0..RENAMES {
        set(handle, change(index).down().build()).await?;
        done = set(handle, change(index).name(name.to_owned()).build()).await;
        if !done.as_ref().is_err_and(|error| Errno::from_io_error(error) == Some(Errno::BUSY)) {
            break;
        }
    }
    done
}

async fn set(handle: &Handle, message: LinkMessage) -> io::Result<()> {
    handle.link().set(message).execute().await.map_err(|error| match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    })
}

fn change(index: u32) -> LinkMessageBuilder<LinkUnspec> {
    LinkMessageBuilder::<LinkUnspec>::new().index(index)
}

/// A card as it is.
#[derive(Debug, PartialEq)]
struct Card {
    index: u32,
    name: String,
    mtu: u32,
    up: bool,
}

impl Card {
    /// With its address.
    fn of(link: &LinkMessage) -> Option<(String, Card)> {
        let (mut name, mut address, mut mtu) = (None, None, 0);
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = Some(text.clone()),
                LinkAttribute::Address(bytes) => address = Some(hwaddr(bytes)),
                // A VLAN or a bridge has the address of a card, and is none.
                LinkAttribute::LinkInfo(_) => return None,
                LinkAttribute::Mtu(size) => mtu = *size,
                _ => {}
            }
        }
        let (index, up) = (link.header.index, link.header.flags.contains(LinkFlags::Up));
        Some((address?, Card { index, name: name?, mtu, up }))
    }

    fn differs(&self, nic: &Nic) -> bool {
        self.name != nic.name || nic.mtu.is_some_and(|mtu| mtu != self.mtu)
    }
}
