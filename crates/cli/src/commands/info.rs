//! `info`: an instance, or the server.

use std::fmt::Write;

use wire::{
    Instance, InstanceSnapshot, InstanceState, InstanceStateNetwork,
    endpoints::{
        instance_snapshots::SnapshotsList,
        instances::{InstanceLogGet, InstanceLogsList, InstanceStateGet},
        server::{ResourcesGet, ServerGet},
    },
};

use super::{OK, config::Instances};
use crate::{
    context::Context,
    error::Result,
    output::{
        self, Table,
        human::{bytes, moment, name_of, yes},
    },
    thing::Thing,
};

/// Shows an instance; without one, the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    /// Instance
    instance: Option<String>,
    /// Also show the instance's logs
    #[arg(long, requires = "instance")]
    show_log: bool,
    /// Show what the machine has
    #[arg(long, conflicts_with = "instance")]
    resources: bool,
}

impl Info {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        match self.instance {
            Some(name) => {
                let instance = Instances::load(cx, &name).await?.reply.instance;
                let state = cx.client.get::<InstanceStateGet>(&[&name], &cx.query()).await?;
                out!("{}", text(&instance, &state));
                let snapshots = cx.client.get::<SnapshotsList>(&[&name], &cx.list()).await?;
                out!("{}", kept(&snapshots.into_full()));
                if self.show_log {
                    show_logs(cx, &name).await?;
                }
            }
            None if self.resources => {
                output::yaml(&cx.client.get::<ResourcesGet>(&[], &cx.target()).await?)?
            }
            None => output::yaml(&cx.client.get::<ServerGet>(&[], &cx.target()).await?)?,
        }
        Ok(OK)
    }
}

/// Prints the log files, but that of the console, which `console --show-log` shows.
async fn show_logs(cx: &Context, name: &str) -> Result<()> {
    for url in cx.client.get::<InstanceLogsList>(&[name], &cx.query()).await? {
        let file = name_of(&url);
        if file == "console.log" {
            continue;
        }
        let mut log = Vec::new();
        let request = cx.client.request::<InstanceLogGet>(&[name, file]).query(&cx.query())?;
        request.download(&mut log).await?;
        outln!("\nLog {file}:\n\n{}", String::from_utf8_lossy(&log).trim_end());
    }
    Ok(())
}

fn text(instance: &Instance, state: &InstanceState) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "Name: {}\nStatus: {}", instance.name, state.status.to_uppercase());
    let kind = instance.r#type.as_str();
    let _ = writeln!(text, "Type: {kind}{}", if instance.ephemeral { " (ephemeral)" } else { "" });
    let _ = writeln!(text, "Architecture: {}", instance.architecture);
    if !instance.description.is_empty() {
        let _ = writeln!(text, "Description: {}", instance.description);
    }
    if state.pid != 0 {
        let _ = writeln!(text, "PID: {}", state.pid);
    }
    let _ = writeln!(text, "Created: {}", moment(instance.created_at));
    if !instance.last_used_at.is_never() {
        let _ = writeln!(text, "Last Used: {}", moment(instance.last_used_at));
    }
    usage(&mut text, state);
    text
}

/// The snapshots, if there are any.
fn kept(snapshots: &[InstanceSnapshot]) -> String {
    if snapshots.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["NAME", "TAKEN AT", "EXPIRES AT", "STATEFUL"]);
    for one in snapshots {
        let times = [moment(one.created_at), moment(one.expires_at)];
        let [taken, expires] = times;
        table.row([one.name.clone(), taken, expires, yes(one.stateful).to_owned()]);
    }
    format!("\nSnapshots:\n{}", table.boxed())
}

fn usage(text: &mut String, state: &InstanceState) {
    text.push_str("\nResources:\n");
    if state.pid != 0 {
        let _ = writeln!(text, "  Processes: {}", state.processes);
    }
    if !state.disk.is_empty() {
        text.push_str("  Disk usage:\n");
        for (name, disk) in &state.disk {
            let _ = writeln!(text, "    {name}: {}", bytes(disk.usage));
        }
    }
    if state.pid == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "  CPU usage:\n    CPU usage (in seconds): {}",
        state.cpu.usage / 1_000_000_000
    );
    let memory = &state.memory;
    let _ = writeln!(text, "  Memory usage:\n    Memory (current): {}", bytes(memory.usage));
    let optional = [("Memory (peak)", memory.usage_peak), ("Swap (current)", memory.swap_usage)];
    for (name, count) in optional.into_iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "    {name}: {}", bytes(count));
    }
    text.push_str("  Network usage:\n");
    for (name, network) in state.network.iter().flatten() {
        interface(text, name, network);
    }
}

fn interface(text: &mut String, name: &str, network: &InstanceStateNetwork) {
    let _ = writeln!(text, "    {name}:\n      Type: {}", network.r#type);
    let _ = writeln!(text, "      State: {}", network.state.to_uppercase());
    if !network.host_name.is_empty() {
        let _ = writeln!(text, "      Host interface: {}", network.host_name);
    }
    if !network.hwaddr.is_empty() {
        let _ = writeln!(text, "      MAC address: {}", network.hwaddr);
    }
    let _ = writeln!(text, "      MTU: {}", network.mtu);
    let counters = &network.counters;
    let _ = writeln!(text, "      Bytes received: {}", bytes(counters.bytes_received));
    let _ = writeln!(text, "      Bytes sent: {}", bytes(counters.bytes_sent));
    let _ = writeln!(text, "      Packets received: {}", counters.packets_received);
    let _ = writeln!(text, "      Packets sent: {}", counters.packets_sent);
    text.push_str("      IP addresses:\n");
    for address in &network.addresses {
        let family = format!("{}:", address.family);
        let (ip, mask, scope) = (&address.address, &address.netmask, &address.scope);
        let _ = writeln!(text, "        {family:<6} {ip}/{mask} ({scope})");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_running_instance() {
        let instance =
            serde_json::from_value(json!({ "name": "web", "architecture": "x86_64" })).unwrap();
        let state = serde_json::from_value(json!({
            "status": "Running", "pid": 42, "processes": 3, "cpu": { "usage": 2_500_000_000_u64 },
            "memory": { "usage": 1_048_576 }, "disk": { "root": { "usage": 2048 } },
            "network": { "eth0": { "type": "broadcast", "state": "up", "mtu": 1500, "addresses": [
                { "family": "inet", "address": "10.0.0.2", "netmask": "24", "scope": "global" },
            ]}},
        }))
        .unwrap();
        let want = "\
Name: web
Status: RUNNING
Type: container
Architecture: x86_64
PID: 42
Created: \n
Resources:
  Processes: 3
  Disk usage:
    root: 2.00KiB
  CPU usage:
    CPU usage (in seconds): 2
  Memory usage:
    Memory (current): 1.00MiB
  Network usage:
    eth0:
      Type: broadcast
      State: UP
      MTU: 1500
      Bytes received: 0B
      Bytes sent: 0B
      Packets received: 0
      Packets sent: 0
      IP addresses:
        inet:  10.0.0.2/24 (global)
";
        assert_eq!(text(&instance, &state), want);
    }

    #[test]
    fn a_stopped_instance_uses_only_disk() {
        let instance = serde_json::from_value(json!({ "name": "web" })).unwrap();
        let state = serde_json::from_value(json!({ "status": "Stopped" })).unwrap();
        assert!(text(&instance, &state).ends_with("\nResources:\n"));
    }
}
