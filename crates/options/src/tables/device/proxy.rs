//! Proxies: what comes in at one side of an instance's wall goes out at the other.

use crate::{FileMode, Options, Problem, Protocol, ProxyAddress, values::choice};

choice! {
    /// The side on which a proxy listens; `guest` and `container` are older words for `instance`.
    pub enum Bind { Host = "host", Instance = "instance", Guest = "guest", Container = "container" }
}

/// So many ports a process of ours listens at, each with a socket of its own. Rules (`nat`) have no such limit.
const MOST_PORTS: usize = 16_384;

/// Options of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Options)]
#[options(entity = "device-proxy", group = "device-conf", check = Self::consistent)]
pub struct Proxy {
    /// Where it listens.
    ///
    /// Such as `tcp:0.0.0.0:80`, `udp:[::]:5000-5010`, `unix:/run/x.sock` or `unix:@name`.
    #[option(key = "listen")]
    pub listen: Option<ProxyAddress>,
    /// What it connects to.
    ///
    /// One port, or as many as it listens at.
    #[option(key = "connect")]
    pub connect: Option<ProxyAddress>,
    /// Which side it listens on; it connects on the other.
    #[option(key = "bind", default = "host")]
    pub bind: Bind,
    /// Whether the kernel sends packets on by rules (DNAT), in place of a program.
    ///
    /// The instance then sees who sends them. Its card must have a fixed address.
    #[option(key = "nat", default = "false")]
    pub nat: bool,
    /// Whether the first line that the target gets says who connected.
    ///
    /// It is that of HAProxy's PROXY protocol, version 1.
    #[option(key = "proxy_protocol", default = "false")]
    pub proxy_protocol: bool,
    /// User of the socket that it listens at.
    #[option(key = "uid", default_text = "0", condition = "a path to listen at")]
    pub uid: Option<u32>,
    /// Group of the socket that it listens at.
    #[option(key = "gid", default_text = "0", condition = "a path to listen at")]
    pub gid: Option<u32>,
    /// Mode of the socket that it listens at.
    #[option(key = "mode", default_text = "0644", condition = "a path to listen at")]
    pub mode: Option<FileMode>,
    /// The user as whom it connects.
    #[option(key = "security.uid", default_text = "0")]
    pub security_uid: Option<u32>,
    /// The group as which it connects.
    #[option(key = "security.gid", default_text = "0")]
    pub security_gid: Option<u32>,
}

impl Proxy {
    /// Whether it listens on the host.
    pub fn on_host(&self) -> bool {
        self.bind == Bind::Host
    }

    fn consistent(&self) -> Vec<Problem> {
        let (Some(listen), Some(connect)) = (&self.listen, &self.connect) else {
            let missing = |key: &str, end: &Option<ProxyAddress>| {
                let example = "such as tcp:127.0.0.1:80 or unix:/run/x.sock";
                end.is_none().then(|| Problem::missing(key, example))
            };
            return [missing("listen", &self.listen), missing("connect", &self.connect)]
                .into_iter()
                .flatten()
                .collect();
        };
        let mut problems = pair(listen, connect);
        problems.extend(self.keys(listen));
        match self.nat {
            true => problems.extend(self.rules(listen, connect)),
            false if listen.count() > MOST_PORTS => {
                let allowed = format!("at most {MOST_PORTS} ports; more with nat=true");
                problems.push(Problem::invalid("listen", &listen.to_string(), allowed));
            }
            false => {}
        }
        problems
    }

    fn keys(&self, listen: &ProxyAddress) -> Vec<Problem> {
        let mut problems = Vec::new();
        let set = [
            ("uid", self.uid.is_some()),
            ("gid", self.gid.is_some()),
            ("mode", self.mode.is_some()),
        ];
        if let Some((key, _)) =
            set.iter().find(|(_, set)| *set && !matches!(listen, ProxyAddress::Path(_)))
        {
            problems.push(Problem::conflict(*key, "is of a path to listen at: unix:/PATH"));
        }
        if self.proxy_protocol && is_udp(listen) {
            problems.push(Problem::conflict("proxy_protocol", "is of streams, not of udp"));
        }
        problems
    }

    /// What rules of the kernel can do.
    fn rules(&self, listen: &ProxyAddress, connect: &ProxyAddress) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut no = |key: &str, why: &str| problems.push(Problem::conflict(key, why));
        let (ProxyAddress::Ip { address, .. }, ProxyAddress::Ip { address: to, .. }) =
            (listen, connect)
        else {
            no("nat", "is of tcp and udp, not of sockets at a path");
            return problems;
        };
        if !self.on_host() {
            no("nat", "needs bind=host");
        }
        if self.proxy_protocol {
            no("proxy_protocol", "cannot be set together with nat");
        }
        if self.security_uid.is_some() || self.security_gid.is_some() {
            no("security.uid", "and security.gid cannot be set together with nat");
        }
        if address.is_ipv4() != to.is_ipv4() {
            no("nat", "needs IPv4 on both sides, or IPv6 on both");
        }
        if address.is_loopback() {
            no("listen", "cannot be a loopback address with nat: packets do not leave it");
        }
        problems
    }
}

fn is_udp(end: &ProxyAddress) -> bool {
    matches!(end, ProxyAddress::Ip { protocol: Protocol::Udp, .. })
}

/// Whether one goes with the other.
fn pair(listen: &ProxyAddress, connect: &ProxyAddress) -> Vec<Problem> {
    let mut problems = Vec::new();
    if is_udp(listen) != is_udp(connect) {
        let why = "must be udp if listen is, and not else: datagrams have no place in a stream";
        problems.push(Problem::conflict("connect", why));
    }
    let (from, to) = (listen.count(), connect.count());
    if to != 1 && to != from {
        let why = format!("has {to} ports where listen has {from}: one, or as many");
        problems.push(Problem::conflict("connect", why));
    }
    problems
}
