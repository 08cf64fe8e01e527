//! Daemons that are members of one cluster: each in a network namespace of its own, all on one switch. A cable can be
//! pulled and put back.

use std::{path::PathBuf, sync::Arc};

use crate::{Daemon, Disk, Netns, Options};

/// The switch and who is on it.
pub struct Cluster {
    /// Members, the first one first. Dropped last to first, as the first has what the tests made.
    pub members: Vec<Daemon>,
    switch: Arc<Netns>,
    /// What all of them have: a disk of their own, or another program.
    options: Options,
}

/// Where a member is, counted from 0.
pub fn address(member: usize) -> String {
    format!("10.9.0.{}:8443", member + 1)
}

/// The name of a member.
pub fn name(member: usize) -> String {
    format!("m{}", member + 1)
}

impl Cluster {
    /// So many daemons that can reach each other, and are no cluster yet; `None` where that cannot be.
    #[track_caller]
    pub fn alone(count: usize) -> Option<Cluster> {
        Cluster::on(Options::default(), count)
    }

    fn on(options: Options, count: usize) -> Option<Cluster> {
        let switch = Arc::new(Netns::new());
        switch.run(&["ip", "link", "add", "switch", "type", "bridge"]).ok();
        switch.run(&["ip", "link", "set", "switch", "up"]).ok();
        let mut cluster = Cluster { members: Vec::new(), switch, options };
        for _ in 0..count {
            cluster.add()?;
        }
        Some(cluster)
    }

    /// So many members of one cluster.
    #[track_caller]
    pub fn of(count: usize) -> Option<Cluster> {
        Cluster::alone(count)?.joined()
    }

    /// The same, each with a disk of its own.
    #[track_caller]
    pub fn on_disks(count: usize, disk: Disk) -> Option<Cluster> {
        Cluster::on(Options { disk: Some(disk), ..Options::default() }, count)?.joined()
    }

    /// The same with another program than the one under test.
    #[track_caller]
    pub fn running(binary: PathBuf, count: usize) -> Option<Cluster> {
        Cluster::on(Options { binary: Some(binary), ..Options::default() }, count)?.joined()
    }

    /// The same; each reaches the Ceph of the rig, and has mapped nothing of it.
    #[track_caller]
    pub fn with_ceph(count: usize) -> Option<Cluster> {
        let machine = Some(crate::ceph::machine()?);
        Cluster::on(Options { machine, ..Options::default() }, count)?.joined()
    }

    #[track_caller]
    fn joined(self) -> Option<Cluster> {
        let cluster = self;
        let count = cluster.members.len();
        cluster.members[0].cli(["cluster", "enable", "m1", "--address", &address(0)]).ok();
        for member in 1..count {
            cluster.join(member);
        }
        Some(cluster)
    }

    /// One more daemon on the switch.
    #[track_caller]
    pub fn add(&mut self) -> Option<usize> {
        let (member, netns) = (self.members.len(), Arc::new(Netns::new()));
        let (port, switch) = (format!("port{member}"), self.switch.holder().to_string());
        let pair = ["ip", "link", "add", "uplink", "type", "veth", "peer", "name", &port];
        netns.run(&[&pair[..], &["netns", &switch]].concat()).ok();
        let inner = format!("10.9.0.{}/24", member + 1);
        netns.run(&["ip", "addr", "add", &inner, "dev", "uplink"]).ok();
        netns.run(&["ip", "link", "set", "uplink", "up"]).ok();
        self.switch.run(&["ip", "link", "set", &port, "master", "switch"]).ok();
        self.plug(member);
        let Options { binary, disk, machine, .. } = &self.options;
        if machine.is_some() {
            crate::ceph::join(&netns, member);
        }
        let (disk, binary, machine) = (*disk, binary.clone(), machine.clone());
        let options = Options { netns: Some(netns), disk, binary, machine, ..Options::default() };
        self.members.push(Daemon::with(&options)?);
        Some(member)
    }

    /// Has a daemon join the first one's cluster.
    #[track_caller]
    pub fn join(&self, member: usize) {
        let token = self.members[0].cli(["--quiet", "cluster", "add", &name(member)]);
        let token = token.text();
        self.members[member].cli(["join", token.trim(), "--address", &address(member)]).ok();
    }

    /// Puts a member's cable back.
    #[track_caller]
    pub fn plug(&self, member: usize) {
        self.switch.run(&["ip", "link", "set", &format!("port{member}"), "up"]).ok();
    }

    /// From now on the switch carries no multicast, as some do.
    #[track_caller]
    pub fn deafen(&self) {
        for member in 0..self.members.len() {
            let port = format!("port{member}");
            let words = ["ip", "link", "set", &port, "type", "bridge_slave", "mcast_flood", "off"];
            self.switch.run(&words).ok();
        }
    }

    /// Pulls a member's cable.
    #[track_caller]
    pub fn unplug(&self, member: usize) {
        self.switch.run(&["ip", "link", "set", &format!("port{member}"), "down"]).ok();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        while let Some(member) = self.members.pop() {
            drop(member);
        }
    }
}
