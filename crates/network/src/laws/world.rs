//! A network namespace for a law, and guests in others.

use std::{
    fs::File,
    future::Future,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::Output,
};

use rtnetlink::{LinkMessageBuilder, LinkUnspec};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::{Inside, Interface, MacAddr, NetnsView, Plane, PortSpec, netlink};

/// Runs a law on a thread with a fresh network namespace, loopback up.
pub(super) fn alone<F: Future<Output = ()>>(law: impl FnOnce() -> F + Send + 'static) {
    let runner = std::thread::spawn(move || {
        if let Err(error) = unshare() {
            eprintln!("SKIP: no network namespace: {error}");
            return;
        }
        if exec::nft::ruleset().is_err() {
            eprintln!("SKIP: nft does not work here");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            loopback_up().await;
            law().await;
        });
    });
    runner.join().unwrap();
}

#[expect(deprecated, reason = "unsafe only for what threads share: not this")]
fn unshare() -> rustix::io::Result<()> {
    rustix::thread::unshare(UnshareFlags::NEWNET)
}

async fn loopback_up() {
    let handle = netlink::connect().unwrap();
    let lo = LinkMessageBuilder::<LinkUnspec>::new().name("lo").up().build();
    netlink::set_link(&handle, "lo", lo).await.unwrap();
}

/// A network namespace that lives as long as this value.
pub(super) struct Guest {
    pub(super) netns: OwnedFd,
    pub(super) mac: MacAddr,
}

impl Guest {
    /// A guest with a port on a bridge, set up as its init would.
    pub(super) async fn on(plane: &Plane, bridge: &str, last: u8) -> Guest {
        let open = || {
            unshare().unwrap();
            OwnedFd::from(File::open("/proc/thread-self/ns/net").unwrap())
        };
        let netns = std::thread::spawn(open).join().unwrap();
        let guest = Guest { netns, mac: MacAddr([0, 0x16, 0x3e, 0xaa, 0, last]) };
        let host_name = format!("veth{last}");
        plane.attach_port(&guest.port(Some(bridge), &host_name), guest.inside()).await.unwrap();
        guest.sh("busybox ip link set lo up; busybox ip link set eth0 up").await;
        guest
    }

    pub(super) fn port<'a>(&'a self, bridge: Option<&'a str>, host_name: &'a str) -> PortSpec<'a> {
        PortSpec {
            bridge,
            host_name,
            host_hwaddr: None,
            hwaddr: self.mac,
            mtu: None,
            queue_length: None,
            isolated: false,
            vlans: None,
            routes: Vec::new(),
        }
    }

    /// The guest's end of a port.
    pub(super) fn inside(&self) -> Inside<'_> {
        Inside { name: "eth0", netns: self.netns.as_fd() }
    }

    /// Its interfaces, through a new view.
    pub(super) fn links(&self) -> Vec<Interface> {
        NetnsView::open(self.netns.try_clone().unwrap()).unwrap().interfaces().unwrap().to_vec()
    }

    /// Runs a shell command in the guest; its output.
    pub(super) async fn sh(&self, script: &str) -> String {
        let (netns, script) = (self.netns.try_clone().unwrap(), script.to_owned());
        let run = move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(netns.as_fd(), kind).unwrap();
            shell(&script)
        };
        let output = tokio::task::spawn_blocking(|| std::thread::spawn(run).join().unwrap());
        let output = output.await.unwrap();
        [output.stdout, output.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat()
    }

    /// Asks for an address as a guest does; what the client printed.
    pub(super) async fn dhcp(&self, dir: &Path) -> String {
        let script = dir.join("udhcpc.sh");
        let text = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\n\
                    busybox ip addr replace $ip/$mask dev $interface\n\
                    busybox ip route replace default via $router\n\
                    echo \"got $ip/$mask router=$router dns=$dns domain=$domain host=$hostname\"\n";
        if !script.exists() {
            std::fs::write(&script, text).unwrap();
            let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&script, runs).unwrap();
        }
        self.sh(&format!("busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s {0}", script.display()))
            .await
    }
}

/// Runs a shell command in the namespace of this thread.
#[expect(clippy::disallowed_methods, reason = "a guest's programs, in tests")]
fn shell(script: &str) -> Output {
    std::process::Command::new("sh").arg("-c").arg(script).output().unwrap()
}

/// Runs a shell command in the law's own namespace.
pub(super) async fn sh(script: &str) -> String {
    let script = script.to_owned();
    let output = tokio::task::spawn_blocking(move || shell(&script)).await.unwrap();
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

/// Whether the programs are here; says so if not.
pub(super) fn have(programs: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = |program: &&&str| path.split(':').any(|dir| Path::new(dir).join(program).exists());
    match programs.iter().find(|program| !there(program)) {
        Some(program) => {
            eprintln!("SKIP: {program} is not installed");
            false
        }
        None => true,
    }
}
