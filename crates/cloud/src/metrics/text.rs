//! The text: OpenMetrics 1.0, with LXD's names.
//!
//! What belongs to one name stands together, whoever told it first.

use std::{collections::BTreeMap, fmt::Write};

use runtime::Metrics;

use crate::instances::guests::Guest;

/// A name, its kind, and what it is.
type Family = (&'static str, &'static str, &'static str);

/// All there are, in the order in which they are told.
const FAMILIES: &[Family] = &[
    ("lxd_api_requests_completed_total", "counter", "Requests to the API that were answered."),
    ("lxd_api_requests_ongoing", "gauge", "Requests to the API that wait for an answer."),
    ("lxd_cpu_effective_total", "gauge", "Processors that the instance may use."),
    ("lxd_cpu_seconds_total", "counter", "Time of processors, in seconds."),
    ("lxd_disk_read_bytes_total", "counter", "Bytes read from a disk."),
    ("lxd_disk_reads_completed_total", "counter", "Reads from a disk."),
    ("lxd_disk_writes_completed_total", "counter", "Writes to a disk."),
    ("lxd_disk_written_bytes_total", "counter", "Bytes written to a disk."),
    ("lxd_filesystem_avail_bytes", "gauge", "Bytes that programs may still use."),
    ("lxd_filesystem_free_bytes", "gauge", "Bytes that are free."),
    ("lxd_filesystem_size_bytes", "gauge", "Bytes of a file system."),
    ("lxd_instances", "gauge", "Instances, running or not."),
    ("lxd_memory_Active_anon_bytes", "gauge", "Memory of programs that was used lately."),
    ("lxd_memory_Active_bytes", "gauge", "Memory that was used lately."),
    ("lxd_memory_Active_file_bytes", "gauge", "Memory of files that was used lately."),
    ("lxd_memory_Cached_bytes", "gauge", "Cache of files."),
    ("lxd_memory_Dirty_bytes", "gauge", "Memory that waits to be written to disk."),
    ("lxd_memory_HugepagesFree_bytes", "gauge", "Huge pages that are free."),
    ("lxd_memory_HugepagesTotal_bytes", "gauge", "Huge pages."),
    ("lxd_memory_Inactive_anon_bytes", "gauge", "Memory of programs that was not used lately."),
    ("lxd_memory_Inactive_bytes", "gauge", "Memory that was not used lately."),
    ("lxd_memory_Inactive_file_bytes", "gauge", "Memory of files that was not used lately."),
    ("lxd_memory_Mapped_bytes", "gauge", "Files that programs have mapped."),
    ("lxd_memory_MemAvailable_bytes", "gauge", "Memory that programs could still have."),
    ("lxd_memory_MemFree_bytes", "gauge", "Memory that is unused."),
    ("lxd_memory_MemTotal_bytes", "gauge", "Memory."),
    ("lxd_memory_OOM_kills_total", "counter", "Programs that were killed for want of memory."),
    ("lxd_memory_RSS_bytes", "gauge", "Memory of programs."),
    ("lxd_memory_Shmem_bytes", "gauge", "Memory that is shared, or of file systems in memory."),
    ("lxd_memory_Swap_bytes", "gauge", "Memory that is swapped out."),
    ("lxd_memory_Unevictable_bytes", "gauge", "Memory that cannot be taken back."),
    ("lxd_memory_Writeback_bytes", "gauge", "Memory that is being written to disk."),
    ("lxd_network_receive_bytes_total", "counter", "Bytes received."),
    ("lxd_network_receive_drop_total", "counter", "Packets thrown away when received."),
    ("lxd_network_receive_errs_total", "counter", "Errors when receiving."),
    ("lxd_network_receive_packets_total", "counter", "Packets received."),
    ("lxd_network_transmit_bytes_total", "counter", "Bytes sent."),
    ("lxd_network_transmit_drop_total", "counter", "Packets thrown away when sent."),
    ("lxd_network_transmit_errs_total", "counter", "Errors when sending."),
    ("lxd_network_transmit_packets_total", "counter", "Packets sent."),
    ("lxd_operations_total", "gauge", "Operations under way."),
    ("lxd_procs_total", "gauge", "Processes."),
    ("lxd_uptime_seconds", "gauge", "Seconds since the server began."),
    ("lxd_warnings_total", "gauge", "Warnings that are not settled."),
];

/// The text so far: lines by their name.
#[derive(Debug, Default)]
pub(super) struct Text(BTreeMap<&'static str, String>);

impl Text {
    /// Adds a number.
    pub(super) fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: u64) {
        self.line(name, labels, &value.to_string());
    }

    /// Adds a number of which the last `places` digits stand behind the dot.
    pub(super) fn decimal(
        &mut self,
        name: &'static str,
        labels: &[(&str, &str)],
        value: impl Into<u128>,
        places: usize,
    ) {
        let digits = format!("{:0>width$}", value.into(), width = places + 1);
        let (whole, rest) = digits.split_at(digits.len() - places);
        let rest = rest.trim_end_matches('0');
        let text = if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") };
        self.line(name, labels, &text);
    }

    fn line(&mut self, name: &'static str, labels: &[(&str, &str)], value: &str) {
        let lines = self.0.entry(name).or_default();
        lines.push_str(name);
        for (at, (key, value)) in labels.iter().enumerate() {
            lines.push(if at == 0 { '{' } else { ',' });
            lines.push_str(key);
            lines.push_str("=\"");
            escape(lines, value);
            lines.push('"');
        }
        if !labels.is_empty() {
            lines.push('}');
        }
        // A String takes everything.
        let _ = writeln!(lines, " {value}");
    }

    /// Adds what an instance used.
    pub(super) fn instance(&mut self, guest: &Guest, metrics: &Metrics) {
        let kind = if guest.spec().machine { "virtual-machine" } else { "container" };
        let own = [("name", guest.name()), ("project", guest.project()), ("type", kind)];
        self.used(own, metrics);
    }

    fn used(&mut self, own: [(&str, &str); 3], metrics: &Metrics) {
        let counted = [
            ("lxd_cpu_effective_total", metrics.processors),
            ("lxd_procs_total", metrics.processes),
        ];
        for (name, value) in counted.into_iter().chain(memory(&metrics.memory)) {
            if let Some(value) = value {
                self.add(name, &own, value);
            }
        }
        for time in &metrics.cpus {
            let cpu = time.cpu.to_string();
            let labels = with([("cpu", &*cpu), ("mode", &*time.mode)], own);
            self.decimal("lxd_cpu_seconds_total", &labels, time.ns, 9);
        }
        for disk in &metrics.disks {
            let labels = with([("device", &*disk.device)], own);
            self.add("lxd_disk_read_bytes_total", &labels, disk.read_bytes);
            self.add("lxd_disk_reads_completed_total", &labels, disk.reads);
            self.add("lxd_disk_written_bytes_total", &labels, disk.written_bytes);
            self.add("lxd_disk_writes_completed_total", &labels, disk.writes);
        }
        for one in &metrics.filesystems {
            let place = [
                ("device", &*one.device),
                ("fstype", &*one.fstype),
                ("mountpoint", &*one.mountpoint),
            ];
            let labels = with(place, own);
            self.add("lxd_filesystem_avail_bytes", &labels, one.available);
            self.add("lxd_filesystem_free_bytes", &labels, one.free);
            self.add("lxd_filesystem_size_bytes", &labels, one.size);
        }
        for (device, one) in &metrics.network {
            let labels = with([("device", &**device)], own);
            for (name, value) in [
                ("lxd_network_receive_bytes_total", one.received_bytes),
                ("lxd_network_receive_drop_total", one.received_dropped),
                ("lxd_network_receive_errs_total", one.received_errors),
                ("lxd_network_receive_packets_total", one.received_packets),
                ("lxd_network_transmit_bytes_total", one.sent_bytes),
                ("lxd_network_transmit_drop_total", one.sent_dropped),
                ("lxd_network_transmit_errs_total", one.sent_errors),
                ("lxd_network_transmit_packets_total", one.sent_packets),
            ] {
                self.add(name, &labels, value);
            }
        }
    }

    /// The whole.
    pub(super) fn finish(self) -> String {
        let mut text = String::new();
        for (name, kind, about) in FAMILIES {
            if let Some(lines) = self.0.get(name) {
                // A String takes everything.
                let _ = write!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n{lines}");
            }
        }
        text.push_str("# EOF\n");
        text
    }
}

fn with<'a>(
    first: impl IntoIterator<Item = (&'a str, &'a str)>,
    own: [(&'a str, &'a str); 3],
) -> Vec<(&'a str, &'a str)> {
    first.into_iter().chain(own).collect()
}

fn memory(of: &runtime::MemoryUse) -> [(&'static str, Option<u64>); 20] {
    [
        ("lxd_memory_Active_anon_bytes", of.active_anon),
        ("lxd_memory_Active_bytes", of.active),
        ("lxd_memory_Active_file_bytes", of.active_file),
        ("lxd_memory_Cached_bytes", of.cached),
        ("lxd_memory_Dirty_bytes", of.dirty),
        ("lxd_memory_HugepagesFree_bytes", of.hugepages_free),
        ("lxd_memory_HugepagesTotal_bytes", of.hugepages_total),
        ("lxd_memory_Inactive_anon_bytes", of.inactive_anon),
        ("lxd_memory_Inactive_bytes", of.inactive),
        ("lxd_memory_Inactive_file_bytes", of.inactive_file),
        ("lxd_memory_Mapped_bytes", of.mapped),
        ("lxd_memory_MemAvailable_bytes", of.available),
        ("lxd_memory_MemFree_bytes", of.free),
        ("lxd_memory_MemTotal_bytes", of.total),
        ("lxd_memory_OOM_kills_total", of.oom_kills),
        ("lxd_memory_RSS_bytes", of.rss),
        ("lxd_memory_Shmem_bytes", of.shmem),
        ("lxd_memory_Swap_bytes", of.swap),
        ("lxd_memory_Unevictable_bytes", of.unevictable),
        ("lxd_memory_Writeback_bytes", of.writeback),
    ]
}

/// A value as it stands between quotes. What a guest calls its own may hold anything.
fn escape(to: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => to.push_str("\\\\"),
            '"' => to.push_str("\\\""),
            '\n' => to.push_str("\\n"),
            other if other.is_control() => to.push('\u{fffd}'),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::{CpuTime, DiskTraffic, MemoryUse};

    use super::*;

    #[test]
    fn what_belongs_together_stands_together() {
        let metrics = |ns, device: &str| Metrics {
            cpus: vec![CpuTime { cpu: 0, mode: String::from("user"), ns }],
            memory: MemoryUse { total: Some(5), ..MemoryUse::default() },
            disks: vec![DiskTraffic { device: device.to_owned(), ..DiskTraffic::default() }],
            ..Metrics::default()
        };
        let own = |name| [("name", name), ("project", "p"), ("type", "container")];
        let mut text = Text::default();
        text.used(own("a"), &metrics(1_500_000_000, "sda"));
        text.used(own("b"), &metrics(20, "x\"} 1\n# EOF"));
        let text = text.finish();
        let expected = "\
# HELP lxd_cpu_seconds_total Time of processors, in seconds.
# TYPE lxd_cpu_seconds_total counter
lxd_cpu_seconds_total{cpu=\"0\",mode=\"user\",name=\"a\",project=\"p\",type=\"container\"} 1.5
lxd_cpu_seconds_total{cpu=\"0\",mode=\"user\",name=\"b\",project=\"p\",type=\"container\"} 0.00000002
# HELP lxd_disk_read_bytes_total";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("{device=\"x\\\"} 1\\n# EOF\",name=\"b\""), "{text}");
        assert_eq!(text.lines().filter(|line| *line == "# EOF").count(), 1);
        assert!(text.ends_with("type=\"container\"} 5\n# EOF\n"), "{text}");
    }

    #[test]
    fn every_name_has_its_words_and_they_are_sorted() {
        let names: Vec<_> = FAMILIES.iter().map(|family| family.0).collect();
        assert!(names.is_sorted());
        for (name, _) in memory(&MemoryUse::default()) {
            assert!(names.contains(&name), "{name}");
        }
    }
}
