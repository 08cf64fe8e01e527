//! The router advertisement server, and the probe that finds autoconfigured addresses.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    dhcp::{receive, send},
    sockets,
};
use crate::{MacAddr, ServiceConfig, pool, ra};

/// When the address that a guest forms is probed, counted from its solicitation: duplicate address
/// detection takes about a second, with its random delay up to two.
const PROBES: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_secs(2), Duration::from_secs(5)];
/// Probes waiting, at most.
const MAX_PROBES: usize = 1024;

pub(super) async fn serve(shared: Arc<Shared>, socket: UdpSocket) {
    let start = Instant::now();
    let config = shared.config();
    let mut router = Router { config, socket, probes: Vec::new(), known: HashSet::new() };
    let mut schedule = ra::Schedule::new(Duration::ZERO);
    let mut buffer = [0; 2048];
    router.probe_hosts(&shared);
    loop {
        let next = router.probes.iter().map(|(at, _)| *at).chain([start + schedule.next()]).min();
        let next = next.unwrap_or_else(Instant::now);
        tokio::select! {
            received = receive(&router.socket, &mut buffer) => {
                if let Some((length, SocketAddr::V6(from))) = received {
                    let bytes = &buffer[..length];
                    router.hear(&shared, &mut schedule, start, *from.ip(), bytes).await;
                }
                continue;
            }
            () = shared.told.notified() => {
                router.probe_hosts(&shared);
                continue;
            }
            () = sleep_until(next) => {}
        }
        if start.elapsed() >= schedule.next() {
            router.advertise(ra::ALL_NODES).await;
            schedule.sent(start.elapsed(), chance());
        }
        router.send_probes().await;
    }
}

struct Router {
    config: ServiceConfig,
    socket: UdpSocket,
    probes: Vec<(Instant, Ipv6Addr)>,
    /// Hosts whose addresses were looked for.
    known: HashSet<MacAddr>,
}

impl Router {
    async fn hear(
        &mut self,
        shared: &Shared,
        schedule: &mut ra::Schedule,
        start: Instant,
        from: Ipv6Addr,
        bytes: &[u8],
    ) {
        match ra::parse(from, bytes) {
            Some(ra::Heard::Solicitation(mac)) => {
                if from.is_unspecified() {
                    schedule.solicited(start.elapsed());
                } else {
                    self.advertise(from).await;
                }
                self.plan_probes(mac);
            }
            Some(ra::Heard::EchoReply) => self.found(shared, from),
            None => {}
        }
    }

    async fn advertise(&self, to: Ipv6Addr) {
        if let Some(bytes) = ra::advertisement(&self.config) {
            send(&self.socket, &bytes, sockets::on_link(&self.config, to, 0)).await;
        }
    }

    /// After a restart the guests do not ask again, so the addresses of hosts heard of for the first
    /// time are looked for.
    fn probe_hosts(&mut self, shared: &Shared) {
        let now: HashSet<MacAddr> =
            shared.lock().state.hosts.iter().map(|host| host.hwaddr).collect();
        now.difference(&self.known.clone()).for_each(|mac| self.plan_probes(Some(*mac)));
        self.known = now;
    }

    fn plan_probes(&mut self, mac: Option<MacAddr>) {
        let Some(v6) = self.config.ipv6.as_ref().filter(|_| self.config.autoconf6()) else {
            return;
        };
        let Some(address) = mac.map(|mac| mac.in_prefix(v6.address)) else { return };
        if self.probes.iter().any(|(_, planned)| *planned == address) {
            return;
        }
        let now = Instant::now();
        self.probes.extend(PROBES.map(|after| (now + after, address)));
        self.probes.truncate(MAX_PROBES);
    }

    async fn send_probes(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.probes.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, address) in due {
            send(&self.socket, &ra::probe(), sockets::on_link(&self.config, address, 0)).await;
        }
    }

    fn found(&mut self, shared: &Shared, from: Ipv6Addr) {
        let inside = self.config.ipv6.as_ref().is_some_and(|v6| v6.address.contains(&from));
        if let Some(mac) = MacAddr::from_eui64(from).filter(|_| inside) {
            self.probes.retain(|(_, planned)| *planned != from);
            shared.with(|state, _| state.saw(mac, from));
        }
    }
}

/// Ends what the old configuration advertised and the new one does not.
pub(super) async fn withdraw(old: &ServiceConfig, new: &ServiceConfig) {
    let net = |config: &ServiceConfig| config.ipv6.as_ref().map(|v6| IpAddr::V6(v6.address.addr()));
    if net(old) == net(new) || old.index != new.index {
        return;
    }
    if let (Some(bytes), Ok(socket)) = (ra::farewell(old), sockets::router(old)) {
        send(&socket, &bytes, sockets::on_link(old, ra::ALL_NODES, 0)).await;
        // The kernel sends at once; the wait lets slow guests see it before the new one.
        sleep_until(Instant::now() + Duration::from_millis(10)).await;
    }
}

fn chance() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let hash = pool::seed(&RandomState::new().hash_one(0).to_le_bytes());
    f64::from(hash as u32) / f64::from(u32::MAX)
}
