//! What tests ask a daemon again and again.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::Value;

use crate::{Daemon, client::Run, images, leaks, wait};

/// A boot of systemd on a loaded machine.
const BOOT: Duration = Duration::from_secs(60);

impl Daemon {
    /// A daemon that is set up and has the images `busybox` and `debian`; `None` when that cannot be
    /// had here, and it said why.
    #[track_caller]
    pub fn debian() -> Option<Daemon> {
        let file = images::debian()?;
        let daemon = Daemon::ready()?;
        daemon.lxc(["image", "import", &file.to_string_lossy(), "--alias", "debian"]).ok();
        Some(daemon)
    }

    /// Waits until the systemd of an instance says that it is up, whatever else it says.
    #[track_caller]
    pub fn booted(&self, name: &str) -> String {
        wait::within(BOOT, "systemd is up", || {
            let said = self.sh(name, "systemctl is-system-running").shown();
            let said = said.trim().to_owned();
            ["running", "degraded", "maintenance"].contains(&said.as_str()).then_some(said)
        })
    }

    /// An instance's state.
    #[track_caller]
    pub fn state(&self, name: &str) -> Value {
        self.get(&format!("/1.0/instances/{name}/state"))
    }

    /// `Running`, `Stopped`, `Frozen`; empty when there is no such instance.
    pub fn status(&self, name: &str) -> String {
        let reply = self.request("GET", &format!("/1.0/instances/{name}"), "");
        reply.body["metadata"]["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an instance has a status.
    #[track_caller]
    pub fn await_status(&self, name: &str, wanted: &str) {
        wait::until(&format!("{name} is {wanted}"), || (self.status(name) == wanted).then_some(()));
    }

    /// The process that is an instance's PID 1, as the machine sees it; 0 when it does not run.
    #[track_caller]
    pub fn init_of(&self, name: &str) -> u64 {
        self.state(name)["pid"].as_u64().unwrap_or_default()
    }

    /// Waits until an instance has an IPv4 address.
    #[track_caller]
    pub fn address(&self, name: &str) -> Ipv4Addr {
        wait::until(&format!("{name} has an IPv4 address"), || self.addresses(name, "inet").pop())
            .parse()
            .unwrap_or_else(|e| panic!("{name}'s address: {e}"))
    }

    /// Its addresses of a family that others can reach.
    #[track_caller]
    pub fn addresses(&self, name: &str, family: &str) -> Vec<String> {
        let mut state = self.state(name);
        let links = state["network"].take();
        let links = links.as_object().into_iter().flatten();
        let all = links.flat_map(|(_, link)| link["addresses"].as_array().cloned());
        let fits = |address: &Value| address["family"] == family && address["scope"] == "global";
        all.flatten()
            .filter(fits)
            .filter_map(|address| Some(address["address"].as_str()?.to_owned()))
            .collect()
    }

    /// The addresses of all things of a kind.
    #[track_caller]
    pub fn urls(&self, kind: &str) -> Vec<String> {
        let list = self.get(&format!("/1.0/{kind}"));
        let urls = list.as_array().into_iter().flatten();
        urls.filter_map(|url| url.as_str().map(str::to_owned)).collect()
    }

    /// Waits until the daemon works on nothing.
    #[track_caller]
    pub fn await_idle(&self) {
        wait::until("no operation runs", || {
            let all = self.get("/1.0/operations");
            let running = all["running"].as_array().map_or(0, Vec::len);
            (running == 0).then_some(())
        });
    }

    /// Runs a line of shell inside an instance.
    #[track_caller]
    pub fn sh(&self, name: &str, line: &str) -> Run {
        self.cli(["exec", name, "--", "sh", "-c", line])
    }

    /// Launches an instance of the image `busybox` and waits for nothing.
    #[track_caller]
    pub fn busybox(&self, name: &str) {
        self.cli(["launch", "local:busybox", name]).ok();
    }

    /// Fails when anything of an instance is left on the machine; there must be none any more.
    #[track_caller]
    pub fn no_instance_left(&self) {
        let left = leaks::of_instances(self);
        assert!(left.is_empty(), "left of instances:\n  {}\n{}", left.join("\n  "), self.tail());
        assert_eq!(self.urls("instances"), Vec::<String>::new());
    }
}
