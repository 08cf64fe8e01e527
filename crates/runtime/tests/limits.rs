//! Limits bite, and change while it runs.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::{Guest, skip};
use runtime::ExitReason;
use spec::{CpuLimit, Limits};

#[test]
fn memory_is_limited_and_counted() {
    if skip() {
        return;
    }
    let guest = Guest::new("memory").start();
    let meter = guest.meter();
    let usage = meter.read();
    let Some(memory) = usage.memory else {
        eprintln!("SKIP: no memory controller");
        return;
    };
    assert!(memory > 0 && memory < 100 << 20, "{usage:?}");
    // dd takes its block in one piece.
    let eat = "dd if=/dev/zero of=/dev/null bs=60M count=1";
    guest.ok(eat);
    let limits = Limits { memory: Some(32 << 20), ..Limits::default() };
    guest.monitor().set_limits(&limits).unwrap();
    assert_ne!(guest.sh(eat).0, 0);
    guest.monitor().set_limits(&Limits::default()).unwrap();
    guest.ok(eat);
    assert!(meter.read().memory_peak.unwrap() >= 32 << 20);
}

#[test]
fn a_pid_1_killed_for_memory_is_told_so() {
    if skip() {
        return;
    }
    let line = "read go; exec dd if=/dev/zero of=/dev/null bs=60M count=1";
    let mut guest = Guest::program("oom", ["/bin/sh", "-c", line]);
    guest.spec.limits.memory = Some(24 << 20);
    let guest = guest.start();
    if guest.meter().read().memory.is_none() {
        eprintln!("SKIP: no memory controller");
        return;
    }
    let mut watch = guest.monitor().watch().unwrap();
    common::write(&guest.monitor().console().unwrap().stream, "\n");
    assert_eq!(common::stopped(&mut watch), ExitReason::OomKilled);
}

#[test]
fn processes_are_limited_and_counted() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("pids");
    guest.spec.limits.processes = Some(8);
    let guest = guest.start();
    let Some(before) = guest.meter().read().processes else {
        eprintln!("SKIP: no pids controller");
        return;
    };
    assert!((1..8).contains(&before));
    let fork = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2 & done; wait";
    assert!(guest.sh(fork).2.contains("fork"), "{:?}", guest.sh(fork));
    guest.monitor().set_limits(&Limits::default()).unwrap();
    assert!(!guest.sh(fork).2.contains("fork"));
}

#[test]
fn processors_are_limited_and_counted() {
    if skip() {
        return;
    }
    let guest = Guest::new("cpus").start();
    let monitor = guest.monitor();
    let cpus = CpuLimit { set: Some("0".into()), quota: Some((10_000, 100_000)), weight: Some(50) };
    let limits = Limits { cpus: Some(cpus), ..Limits::default() };
    if let Err(error) = monitor.set_limits(&limits) {
        eprintln!("SKIP: {error}");
        return;
    }
    assert_eq!(
        guest.ok("grep Cpus_allowed_list /proc/self/status").trim_end(),
        "Cpus_allowed_list:\t0"
    );
    let busy = || {
        let before = guest.meter().read().cpu_ns.unwrap();
        guest.ok("sh -c 'while :; do :; done' & sleep 0.6; kill $!");
        guest.meter().read().cpu_ns.unwrap() - before
    };
    let limited = busy();
    assert!(limited < 250_000_000, "{limited} ns in 0.6 s with a tenth of a processor");
    monitor.set_limits(&Limits::default()).unwrap();
    assert!(busy() > limited);
    assert_ne!(
        guest.ok("grep Cpus_allowed_list /proc/self/status").trim_end(),
        "Cpus_allowed_list:\t0"
    );
}
