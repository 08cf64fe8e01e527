//! Router advertisements (RFC 4861, with DNS from RFC 8106): what stands in them, and when they go.
//!
//! ```text
//! solicitation from an address  -> advertisement to it, at once
//! solicitation from ::          -> advertisement to all, not more often than every three seconds
//! time                          -> advertisement to all, three soon after the start, then at random
//! address or prefix withdrawn   -> one last advertisement that ends it (farewell)
//! ```

use std::{net::Ipv6Addr, time::Duration};

use ipnet::Ipv6Net;

use crate::{MacAddr, ServiceConfig};

const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
/// All nodes on the link.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers on the link.
pub(crate) const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The longest there is (RFC 4861, 6.2.1): guests keep their way out while the daemon is away.
const LIFETIME: u16 = 9000;
/// Times of RFC 4861, 6.2.1 and 10.
const VALID: u32 = 86_400;
const PREFERRED: u32 = 14_400;
const BETWEEN: Duration = Duration::from_secs(3);
const FIRST: Duration = Duration::from_secs(16);
const MIN: Duration = Duration::from_secs(200);
const MAX: Duration = Duration::from_secs(600);

/// What came in on the socket and matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A guest looks for a router; its hardware address, when it tells one.
    Solicitation(Option<MacAddr>),
    /// A guest answered a probe.
    EchoReply,
}

/// Reads an ICMPv6 message. A solicitation counts only from the link itself: its source is
/// link-local or unspecified, neither of which a router passes on (the hop limit says the same).
pub fn parse(source: Ipv6Addr, bytes: &[u8]) -> Option<Heard> {
    match *bytes.first()? {
        ECHO_REPLY if bytes.len() >= 8 => Some(Heard::EchoReply),
        SOLICITATION if bytes.len() >= 8 && bytes[1] == 0 => {
            let near = source.is_unspecified() || source.is_unicast_link_local();
            let told = source_option(bytes.get(8..)?)?;
            near.then_some(Heard::Solicitation(told.or_else(|| MacAddr::from_eui64(source))))
        }
        _ => None,
    }
}

/// The source link-layer option; outer `None` when an option has no length (RFC 4861, 6.1.1).
fn source_option(mut options: &[u8]) -> Option<Option<MacAddr>> {
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        if length == 0 || length > options.len() {
            return None;
        }
        if kind == 1 && length == 8 {
            return Some(MacAddr::from_slice(&options[2..8]));
        }
        options = &options[length..];
    }
    Some(None)
}

/// An echo request; the kernel fills in the checksum.
pub fn probe() -> [u8; 8] {
    [ECHO_REQUEST, 0, 0, 0, 0x6d, 0x63, 0, 1]
}

/// The advertisement for this configuration, without checksum; nothing without IPv6.
pub fn advertisement(config: &ServiceConfig) -> Option<Vec<u8>> {
    let v6 = config.ipv6.as_ref()?;
    let managed = if config.stateful6() { 0x80 } else { 0 };
    let other = if v6.dhcp.is_some() { 0x40 } else { 0 };
    let lifetime = if v6.routing { LIFETIME } else { 0 };
    let mut out = head(managed | other, lifetime);
    prefix(&mut out, v6.address, config.autoconf6(), VALID, PREFERRED);
    out.extend([5, 1, 0, 0]);
    out.extend(config.mtu.to_be_bytes());
    link_layer(&mut out, config.hwaddr);
    resolver(&mut out, v6.address.addr());
    search(&mut out, &config.search());
    Some(out)
}

/// The last advertisement of a configuration that goes away: no router, no prefix, no resolver.
pub fn farewell(config: &ServiceConfig) -> Option<Vec<u8>> {
    let v6 = config.ipv6.as_ref()?;
    let mut out = head(0, 0);
    prefix(&mut out, v6.address, config.autoconf6(), 7200, 0);
    link_layer(&mut out, config.hwaddr);
    Some(out)
}

fn head(flags: u8, lifetime: u16) -> Vec<u8> {
    let mut out = vec![ADVERTISEMENT, 0, 0, 0, 64, flags];
    out.extend(lifetime.to_be_bytes());
    out.extend([0; 8]);
    out
}

fn prefix(out: &mut Vec<u8>, net: Ipv6Net, autonomous: bool, valid: u32, preferred: u32) {
    let flags = 0x80 | if autonomous { 0x40 } else { 0 };
    out.extend([3, 4, net.prefix_len(), flags]);
    out.extend(valid.to_be_bytes());
    out.extend(preferred.to_be_bytes());
    out.extend([0; 4]);
    out.extend(net.network().octets());
}

fn link_layer(out: &mut Vec<u8>, mac: MacAddr) {
    out.extend([1, 1]);
    out.extend(mac.0);
}

fn resolver(out: &mut Vec<u8>, address: Ipv6Addr) {
    out.extend([25, 3, 0, 0]);
    out.extend(u32::from(LIFETIME).to_be_bytes());
    out.extend(address.octets());
}

/// Names as in DNS, filled up with zeros to a multiple of eight.
fn search(out: &mut Vec<u8>, names: &[String]) {
    let mut text = Vec::new();
    for name in names {
        let labels: Vec<&str> = name.split('.').filter(|label| !label.is_empty()).collect();
        let fits = labels.iter().all(|label| label.len() < 64) && !labels.is_empty();
        if !fits || text.len() + name.len() + 2 > 1000 {
            continue;
        }
        for label in labels {
            text.push(label.len() as u8);
            text.extend(label.bytes());
        }
        text.push(0);
    }
    if text.is_empty() {
        return;
    }
    text.resize(text.len().next_multiple_of(8), 0);
    out.extend([31, (1 + text.len() / 8) as u8, 0, 0]);
    out.extend(u32::from(LIFETIME).to_be_bytes());
    out.extend(text);
}

/// When the next advertisement to all is due. Times are measured from any fixed start.
#[derive(Debug, Clone)]
pub struct Schedule {
    last: Option<Duration>,
    next: Duration,
    sent: u32,
}

impl Schedule {
    /// The first is due at once.
    pub fn new(now: Duration) -> Schedule {
        Schedule { last: None, next: now, sent: 0 }
    }

    /// When to wake.
    pub fn next(&self) -> Duration {
        self.next
    }

    /// Somebody without an address asked: soon, but not too often.
    pub fn solicited(&mut self, now: Duration) {
        let soonest = self.last.map_or(now, |last| now.max(last + BETWEEN));
        self.next = self.next.min(soonest);
    }

    /// One went out; `chance` (0..1) spreads routers apart.
    pub fn sent(&mut self, now: Duration, chance: f64) {
        self.last = Some(now);
        self.sent = self.sent.saturating_add(1);
        let wait = MIN + (MAX - MIN).mul_f64(chance.clamp(0.0, 1.0));
        self.next = now + if self.sent < 3 { wait.min(FIRST) } else { wait };
    }
}

#[cfg(test)]
mod tests;
