//! A real system: Debian with systemd as PID 1, made once by
//! `mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2 bookworm
//! /var/cache/microcloud-test/debian-12`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{fs, path::Path, time::Instant};

use common::{Guest, skip, stopped};
use runtime::{ExecSpec, ExitReason};
use spec::{Process, Root};

const SYSTEM: &str = "/var/cache/microcloud-test/debian-12";

fn debian(name: &str) -> Option<Guest> {
    if skip() {
        return None;
    }
    if !Path::new(SYSTEM).join("sbin/init").exists() {
        eprintln!("SKIP: no Debian in {SYSTEM}");
        return None;
    }
    let mut guest = Guest::new(name);
    let (upper, work) = (guest.folder.path().join("upper"), guest.folder.path().join("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    guest.spec.root = Root::Overlay { lower: vec![SYSTEM.into()], upper, work };
    guest.spec.process = Process::init("/sbin/init");
    guest.spec.stop_signal = guest.spec.process.stop_signal();
    Some(guest)
}

fn await_running(guest: &Guest) {
    // Its bus takes a moment to be there at all.
    common::eventually("systemd answers", || {
        guest.sh("systemctl is-system-running").1.trim() != "offline"
            && guest.sh("test -S /run/systemd/private").0 == 0
    });
    let (_, state, errors) = guest.sh("systemctl is-system-running --wait");
    let failed = guest.sh("systemctl --failed --no-legend; systemctl --no-pager status").1;
    assert_eq!(state.trim(), "running", "{errors}{failed}");
}

#[test]
fn it_boots_and_halts() {
    let Some(guest) = debian("systemd") else { return };
    let start = Instant::now();
    let guest = guest.start();
    eprintln!("systemd executed after {:?}", start.elapsed());
    await_running(&guest);
    eprintln!("running after {:?}", start.elapsed());
    assert_eq!(guest.ok("systemctl --failed --no-legend"), "");
    assert_eq!(guest.ok("cat /proc/1/comm").trim(), "systemd");
    assert_eq!(guest.ok("systemd-detect-virt --container").trim(), "lxc");
    assert!(guest.ok("cat /proc/1/cgroup").contains("0::/init.scope"));
    // Its own groups work: a unit with a process of its own.
    assert!(guest.ok("systemd-run --wait --pipe -q cat /proc/self/cgroup").contains(".service"));
    let mut spec = ExecSpec::new(["id", "-un"]);
    spec.uid = 65534;
    let nobody = common::finish(guest.monitor().exec(&spec, runtime::ExecIo::New).unwrap());
    assert_eq!(nobody.1.trim(), "nobody");
    let mut watch = guest.monitor().watch().unwrap();
    let stop = Instant::now();
    guest.monitor().signal(guest.spec.stop_signal).unwrap();
    assert_eq!(stopped(&mut watch), ExitReason::Halt);
    eprintln!("halted after {:?}", stop.elapsed());
    assert!(guest.groups().is_empty());
}

#[test]
fn it_reboots_and_powers_off_from_inside() {
    let Some(guest) = debian("systemd-reboot") else { return };
    let guest = guest.start();
    await_running(&guest);
    let mut watch = guest.monitor().watch().unwrap();
    guest.sh("systemctl reboot");
    assert_eq!(stopped(&mut watch), ExitReason::Reboot);
    let mut guest = guest;
    guest.spec.generation = 2;
    guest.monitor = None;
    let guest = guest.start();
    await_running(&guest);
    let mut watch = guest.monitor().watch().unwrap();
    guest.sh("poweroff");
    assert_eq!(stopped(&mut watch), ExitReason::Halt);
}

#[test]
fn a_container_runs_inside_when_nesting_is_on() {
    let Some(mut guest) = debian("nesting") else { return };
    guest.spec.nesting = true;
    // It covers files of /proc, which hinders a new one inside.
    guest.spec.lxcfs = runtime::lxcfs::find();
    let guest = guest.start();
    let line = "unshare --mount --pid --fork --net --uts --ipc --cgroup --user --map-root-user \
                --mount-proc sh -c 'mount -t tmpfs none /mnt && id -u && ls /proc | grep -c ^1$'";
    assert_eq!(guest.ok(line), "0\n1\n");
}
