//! An instance's life: created, released, stopped in every way.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::{Guest, SIGUSR2, eventually, skip, stopped};
use runtime::{Error, ExitReason, Monitor, State, last_exit};

#[test]
fn a_container_starts_and_halts() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("halts");
    let created = guest.create();
    assert_eq!(guest.monitor().info().unwrap().state, State::Created);
    assert_eq!(guest.monitor().info().unwrap().pid, created.pid);
    guest.monitor().release().unwrap();
    assert_eq!(guest.monitor().info().unwrap().state, State::Running);
    assert_eq!(guest.ok("hostname; id -u").trim(), "guest\n0");
    guest.await_boot();
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().signal(SIGUSR2).unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Halt);
    assert_eq!(last_exit(&guest.spec.run_dir), Some((1, ExitReason::Halt)));
    assert!(guest.groups().is_empty(), "{:?}", guest.groups());
    assert!(Monitor::connect(&guest.spec.run_dir).unwrap().is_none());
    let log = std::fs::read_to_string(guest.spec.log_dir.join("console.log")).unwrap();
    assert!(log.contains("system is up"), "{log}");
}

#[test]
fn a_reboot_is_told_from_a_halt() {
    if skip() {
        return;
    }
    let guest = Guest::new("reboots").start();
    guest.await_boot();
    let mut watch = guest.monitor().watch().unwrap();
    // busybox init takes SIGTERM as "reboot".
    guest.monitor().signal(15).unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Reboot);
}

#[test]
fn exit_codes_and_signals_are_told() {
    if skip() {
        return;
    }
    let guest = Guest::program("exits", ["/bin/sh", "-c", "read line; exit 7"]).start();
    let mut watch = guest.monitor().watch().unwrap();
    let console = guest.monitor().console().unwrap();
    common::write(&console.stream, "go\n");
    assert_eq!(stopped(&mut watch), ExitReason::Exit(7));

    let guest = Guest::new("killed").start();
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().kill().unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Signal(9));
    assert!(guest.groups().is_empty());
}

#[test]
fn a_program_that_is_not_there_fails_at_release() {
    if skip() {
        return;
    }
    let mut guest = Guest::program("missing", ["/bin/nothing"]);
    guest.create();
    let error = guest.monitor().release().unwrap_err();
    assert!(error.to_string().contains("/bin/nothing"), "{error}");
    eventually("the monitor ends", || Monitor::connect(&guest.spec.run_dir).unwrap().is_none());
    assert!(guest.groups().is_empty());
}

#[test]
fn a_root_that_is_not_there_fails_at_spawn() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("rootless");
    guest.spec.root = spec::Root::Dir { path: "/nowhere".into() };
    let error = runtime::spawn(&common::binary(), &guest.spec).unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
    assert!(guest.groups().is_empty());
}

#[test]
fn one_folder_has_one_monitor_and_a_name_may_be_used_again_at_once() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("again").start();
    let error = runtime::spawn(&common::binary(), &guest.spec).unwrap_err();
    assert!(matches!(error, Error::Running { .. }), "{error}");
    for generation in 2..12 {
        guest.monitor().kill().unwrap();
        // No wait for the event: the next start waits for the cleanup of the last one.
        guest.spec.generation = generation;
        guest.spec.cgroup = format!("microcloud.payload/runtime-test/again-{generation}");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            match runtime::spawn(&common::binary(), &guest.spec) {
                Ok((monitor, _)) => {
                    guest.monitor = Some(monitor);
                    break;
                }
                Err(Error::Running { .. }) if std::time::Instant::now() < deadline => {}
                Err(error) => panic!("{error}"),
            }
        }
        guest.monitor().release().unwrap();
        assert_eq!(guest.monitor().info().unwrap().generation, generation);
    }
}

#[test]
fn the_daemon_finds_a_monitor_again() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("found").start();
    guest.monitor = None;
    let monitor = Monitor::connect(&guest.spec.run_dir).unwrap().unwrap();
    assert_eq!(monitor.info().unwrap().state, State::Running);
    guest.monitor = Some(monitor);
    assert_eq!(guest.ok("echo here").trim(), "here");
}

#[test]
fn an_application_has_a_pid_1_above_it() {
    if skip() {
        return;
    }
    // It leaves an orphan, and ends when it is asked to.
    let line = "(sleep 0.1 &); trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done";
    let mut guest = Guest::program("reaper", ["/bin/sh", "-c", line]);
    guest.spec.process.reaper = true;
    guest.spec.process.uid = 1000;
    let guest = guest.start();
    let said = |what: &str| {
        String::from_utf8_lossy(&guest.monitor().console_log().unwrap()).contains(what)
    };
    eventually("it is ready", || said("ready"));
    assert_eq!(guest.ok("stat -c %u /proc/2").trim(), "1000");
    eventually("the orphan is reaped", || !guest.ok("ps").contains("[sleep]"));
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().signal(15).unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Exit(6));

    let mut guest = Guest::program("reaper-missing", ["/bin/nothing"]);
    guest.spec.process.reaper = true;
    guest.create();
    let error = guest.monitor().release().unwrap_err();
    assert!(error.to_string().contains("/bin/nothing"), "{error}");
}

#[test]
fn single_ids_can_be_mapped_otherwise() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("raw");
    guest.spec.raw_idmap =
        vec![spec::MappedIds { users: true, groups: true, host: 1000, inside: 1000, count: 1 }];
    let guest = guest.start();
    assert_eq!(guest.ok("cat /proc/self/uid_map").lines().count(), 3);
    let folder = guest.folder.path().join("home");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(1000), Some(1000)).unwrap();
    let mount = spec::Mount { shift: false, ..spec::Mount::new(&folder, "/mnt") };
    guest.monitor().add_mount(&mount).unwrap();
    assert_eq!(guest.ok("stat -c %u:%g /mnt").trim(), "1000:1000");
}

#[test]
fn kernel_settings_and_resource_limits_are_set() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("settings");
    guest.spec.sysctls = vec![("net.ipv4.ip_forward".into(), "1".into())];
    let limit = spec::Rlimit { name: "nofile".into(), soft: Some(100), hard: Some(200) };
    guest.spec.rlimits = vec![limit];
    let mut guest = guest.start();
    assert_eq!(guest.ok("cat /proc/sys/net/ipv4/ip_forward").trim(), "1");
    let words = guest.ok("grep 'open files' /proc/1/limits /proc/self/limits");
    for line in words.lines() {
        assert!(line.contains("100") && line.contains("200"), "{line}");
    }
    guest.spec.sysctls = vec![("net.ipv4.no_such_thing".into(), "1".into())];
    guest.spec.generation += 1;
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().kill().unwrap();
    stopped(&mut watch);
    guest.create();
    let error = guest.monitor().release().unwrap_err();
    assert!(error.to_string().contains("no_such_thing"), "{error}");
}

#[test]
fn a_binary_that_was_replaced_still_starts_monitors() {
    use std::{fs, os::fd::AsRawFd};
    if skip() {
        return;
    }
    let guest = Guest::new("upgraded");
    let path = guest.folder.path().join("microcloud");
    fs::copy(common::binary(), &path).unwrap();
    let file = fs::File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // As a daemon that was upgraded under its feet has it in /proc/self/exe.
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let (monitor, _) = runtime::spawn(link.as_ref(), &guest.spec).unwrap();
    monitor.release().unwrap();
    monitor.kill().unwrap();
    eventually("it is gone", || Monitor::connect(&guest.spec.run_dir).unwrap().is_none());
}

#[test]
fn a_deadline_that_is_not_put_off_ends_it() {
    if skip() {
        return;
    }
    let guest = Guest::new("deadline").start();
    let in_millis = |millis: u64| Some(runtime::deadline::now() + millis);
    let mut watch = guest.monitor().watch().unwrap();
    // Put off, and taken back.
    guest.monitor().set_deadline(in_millis(300)).unwrap();
    guest.monitor().set_deadline(in_millis(60_000)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(guest.ok("echo here").trim(), "here");
    guest.monitor().set_deadline(in_millis(300)).unwrap();
    guest.monitor().set_deadline(None).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(guest.ok("echo here").trim(), "here");
    // Also one that is frozen, and of whose daemon no word comes.
    guest.monitor().freeze(true).unwrap();
    guest.monitor().set_deadline(in_millis(300)).unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Deadline);
    assert_eq!(last_exit(&guest.spec.run_dir), Some((1, ExitReason::Deadline)));
    assert!(guest.groups().is_empty(), "{:?}", guest.groups());
}
