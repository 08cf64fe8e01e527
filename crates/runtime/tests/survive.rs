//! What holds when others die, and when there is much of something.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use common::{Guest, eventually, read_until, skip, write};
use runtime::{Error, ExitReason, Monitor, cleanup, last_exit};
use rustix::process::{Pid, Signal, kill_process};

fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_killed_monitor_takes_the_container_along_and_is_cleaned_up() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("lost").start();
    let info = guest.monitor().info().unwrap();
    assert!(matches!(cleanup(&guest.spec.run_dir), Err(Error::Running { .. })));
    let mut watch = guest.monitor().watch().unwrap();
    kill_process(Pid::from_raw(info.monitor_pid as i32).unwrap(), Signal::KILL).unwrap();
    assert!(common::wait_readable(watch.as_fd(), 10));
    assert!(matches!(watch.next(), Err(Error::Gone)));
    eventually("PID 1 dies with its monitor", || !alive(info.pid));
    assert!(Monitor::connect(&guest.spec.run_dir).unwrap().is_none());
    assert!(!guest.groups().is_empty());
    cleanup(&guest.spec.run_dir).unwrap();
    cleanup(&guest.spec.run_dir).unwrap();
    assert!(guest.groups().is_empty());
    assert_eq!(last_exit(&guest.spec.run_dir), Some((1, ExitReason::Lost)));
    // And it starts again.
    guest.spec.generation = 2;
    guest.monitor = None;
    guest.create();
    guest.monitor().release().unwrap();
}

#[test]
fn a_specification_that_was_not_written_to_its_end_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    for half in ["", "{\"generation\": "] {
        fs::write(folder.path().join("spec.json"), half).unwrap();
        cleanup(folder.path()).unwrap();
        assert!(!folder.path().join("spec.json").exists());
    }
    // One of another version may have started something.
    fs::write(folder.path().join("spec.json"), "{}").unwrap();
    cleanup(folder.path()).unwrap_err();
}

#[test]
fn the_monitor_is_nobodys_child_and_small() {
    if skip() {
        return;
    }
    let guest = Guest::new("small").start();
    guest.ok("echo warm");
    // Pages of the binary count as private while only one process has them.
    let _other = Guest::new("other").start();
    let pid = guest.monitor().info().unwrap().monitor_pid;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(!status.contains(&format!("PPid:\t{}\n", std::process::id())), "{status}");
    assert!(status.contains("Threads:\t1\n"));
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let private: u64 = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    eprintln!("private memory of a monitor: {private} kB");
    assert!(private < 1024, "{rollup}");
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    if Path::new("/sys/fs/cgroup/unified/cgroup.procs").exists()
        || Path::new("/sys/fs/cgroup/cgroup.procs").exists()
    {
        assert!(group.contains("0::/microcloud.monitor/"), "{group}");
    }
    // It holds nothing of ours open but what it was given.
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap();
        assert!(!target.starts_with(guest.root()), "{}", target.display());
    }
    // The mounts of the stage are not in the host's sight, nor in the monitor's.
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    assert!(!mounts.contains(guest.folder.path().to_str().unwrap()), "{mounts}");
}

#[test]
fn a_long_path_works() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("long");
    let long: PathBuf = std::iter::repeat_n("a-rather-long-folder-name", 8).collect();
    guest.spec.run_dir = guest.folder.path().join(&long).join("run");
    guest.spec.log_dir = guest.folder.path().join(long).join("log");
    let guest = guest.start();
    assert_eq!(guest.ok("echo here"), "here\n");
    assert!(Monitor::connect(&guest.spec.run_dir).unwrap().is_some());
}

#[test]
fn a_monitor_nobody_released_can_be_found_and_killed() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("unreleased");
    let created = guest.create();
    let found = Monitor::connect(&guest.spec.run_dir).unwrap().unwrap();
    let mut watch = found.watch().unwrap();
    assert!(matches!(
        found.exec(&runtime::ExecSpec::new(["true"]), runtime::ExecIo::Null),
        Err(Error::State { .. })
    ));
    found.kill().unwrap();
    assert_eq!(common::stopped(&mut watch), ExitReason::Signal(9));
    assert!(!alive(created.pid));
    assert!(guest.groups().is_empty());
}

#[test]
fn a_device_made_in_netns_is_there_before_pid_1_runs() {
    if skip() {
        return;
    }
    let mut guest = Guest::new("netns");
    let created = guest.create();
    let inside = fs::read_link(format!("/proc/{}/ns/net", created.pid)).unwrap();
    let given = fs::read_link(format!("/proc/self/fd/{}", fd_number(&created.netns))).unwrap();
    assert_eq!(inside, given);
    assert_ne!(inside, fs::read_link("/proc/self/ns/net").unwrap());
    let again = guest.monitor().netns().unwrap();
    assert_eq!(inside, fs::read_link(format!("/proc/self/fd/{}", fd_number(&again))).unwrap());
}

fn fd_number(fd: &impl std::os::fd::AsRawFd) -> i32 {
    fd.as_raw_fd()
}

#[test]
fn the_console_is_shared_and_remembers() {
    if skip() {
        return;
    }
    let guest = Guest::program("console", ["/bin/sh", "-c", "echo hello; exec sh -i"]).start();
    eventually("the shell greets", || {
        String::from_utf8_lossy(&guest.monitor().console_log().unwrap()).contains("hello")
    });
    let first = guest.monitor().console().unwrap();
    assert!(String::from_utf8_lossy(&first.ring).contains("hello"));
    let second = guest.monitor().console().unwrap();
    guest.monitor().resize_console(123, 45).unwrap();
    write(&first.stream, "stty size; echo se''cond\n");
    let (mut one, mut two) = (String::new(), String::new());
    read_until(&first.stream, &mut one, "second");
    read_until(&second.stream, &mut two, "second");
    assert!(two.contains("45 123"), "{two}");
    drop(second);
    // A client that does not read holds nobody up, and the ring keeps only the end.
    write(&first.stream, "seq 1 200000; echo fin''ished\n");
    eventually("all is written", || {
        String::from_utf8_lossy(&guest.monitor().console_log().unwrap()).contains("finished")
    });
    assert_eq!(guest.monitor().console_log().unwrap().len(), 128 * 1024);
    drop(first);
    let mut watch = guest.monitor().watch().unwrap();
    write(&guest.monitor().console().unwrap().stream, "exit 4\n");
    assert_eq!(common::stopped(&mut watch), ExitReason::Exit(4));
    let log = fs::read(guest.spec.log_dir.join("console.log")).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("finished"));
}

#[test]
fn a_console_that_hangs_up_comes_back() {
    if skip() {
        return;
    }
    let guest = Guest::new("vhangup").start();
    guest.await_boot();
    // Closes every descriptor of the terminal, the monitor's too, as getty and systemd do.
    let line = "exec setsid sh -c 'exec </dev/console >/dev/console; echo one'; sleep 0.1";
    guest.ok(line);
    guest.ok("echo two > /dev/console");
    eventually("output goes on", || {
        String::from_utf8_lossy(&guest.monitor().console_log().unwrap()).contains("two")
    });
    let pid = guest.monitor().info().unwrap().monitor_pid;
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(ticks() - before < 10, "the monitor idles");
}

#[test]
fn many_start_at_once() {
    if skip() {
        return;
    }
    let start = std::time::Instant::now();
    let guests: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                Guest::program("many", ["/bin/sleep", "1000"]).start().ok("echo up")
            })
        })
        .collect();
    for guest in guests {
        assert_eq!(guest.join().unwrap(), "up\n");
    }
    eprintln!("8 at once, started and stopped: {:?}", start.elapsed());
}

#[test]
fn the_binary_cannot_be_overwritten_through_a_monitor() {
    if skip() {
        return;
    }
    let guest = Guest::new("exe").start();
    let pid = guest.monitor().info().unwrap().monitor_pid;
    // "Text file busy" alone would end with the process.
    let exe = rustix::fs::statvfs(format!("/proc/{pid}/exe")).unwrap();
    assert!(exe.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
}

#[test]
fn a_false_terminal_is_refused() {
    if skip() {
        return;
    }
    let guest = Guest::new("false").start();
    guest.ok("mount -t tmpfs none /dev/pts; echo > /dev/pts/ptmx");
    let mut spec = runtime::ExecSpec::new(["true"]);
    spec.tty = Some((80, 25));
    let error = guest.monitor().exec(&spec, runtime::ExecIo::New).unwrap_err();
    assert!(error.to_string().contains("ptmx"), "{error}");
    assert_eq!(guest.ok("echo fine"), "fine\n");
}
