//! Clock, power, heat, memory, and what runs virtual machines.

use std::time::{Duration, SystemTime};

use super::{
    Finding,
    machine::{Machine, Module},
};
use crate::output::human;

/// A clock before it was never set: 2026-01-01. A Raspberry Pi without a battery begins in the past.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// Thousandths of a degree from which on a Raspberry Pi is slowed down.
const HOT: u64 = 80_000;
/// What a server with a few containers needs.
const MEMORY: u64 = 900 << 20;

pub(super) fn look(machine: &Machine) -> Vec<Finding> {
    let found = [Some(clock(machine, clock::now())), power(machine), heat(machine)];
    found
        .into_iter()
        .flatten()
        .chain([memory(machine), Some(kvm(machine))].into_iter().flatten())
        .collect()
}

pub(super) fn clock(machine: &Machine, now: SystemTime) -> Finding {
    let set = "sudo apt install systemd-timesyncd; sudo timedatectl set-ntp true";
    if now < SystemTime::UNIX_EPOCH + EARLIEST {
        return Finding::wrong("clock", "it was never set: certificates are not valid yet")
            .fix(set);
    }
    let keepers =
        ["/run/systemd/timesync/synchronized", "/run/chrony", "/run/chronyd.pid", "/run/ntpd.pid"];
    match keepers.iter().any(|path| machine.has(path)) {
        true => Finding::well("clock", "it is kept right"),
        false => Finding::advice("clock", "nothing is seen that keeps it right").fix(set),
    }
}

/// What the firmware of a Raspberry Pi tells of its power supply.
fn power(machine: &Machine) -> Option<Finding> {
    let folder = "/sys/class/hwmon";
    let of = |sensor: &String, file: &str| machine.read(&format!("{folder}/{sensor}/{file}"));
    let mut sensors = machine.names(folder).into_iter();
    let sensor = sensors.find(|sensor| of(sensor, "name").as_deref() == Some("rpi_volt"))?;
    let low = of(&sensor, "in0_lcrit_alarm").as_deref() == Some("1");
    low.then(|| {
        let words = "the voltage is too low: disks lose what they are told to write";
        Finding::wrong("power", words).fix("a stronger power supply, a shorter cable")
    })
}

fn heat(machine: &Machine) -> Option<Finding> {
    let folder = "/sys/class/thermal";
    let zones = machine.names(folder).into_iter();
    let hottest =
        zones.filter_map(|zone| machine.number(&format!("{folder}/{zone}/temp"))).max()?;
    (hottest >= HOT).then(|| {
        Finding::advice(
            "heat",
            format!("{} degrees: the processor may be slowed down", hottest / 1000),
        )
    })
}

fn memory(machine: &Machine) -> Option<Finding> {
    let info = machine.read("/proc/meminfo")?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let bytes = line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.saturating_mul(1024);
    let says = human::bytes(bytes);
    Some(match bytes {
        ..MEMORY => Finding::advice("memory", format!("{says}: few containers fit")),
        _ => Finding::well("memory", says),
    })
}

fn kvm(machine: &Machine) -> Finding {
    let topic = "virtualization";
    if machine.has("/dev/kvm") {
        return Finding::well(topic, "KVM is there; it is tried when a virtual machine starts");
    }
    let slow = "no KVM: virtual machines run in QEMU's translator, some ten times slower";
    let finding = Finding::advice(topic, slow);
    let flags = machine.read("/proc/cpuinfo").unwrap_or_default();
    let can = |flag: &str| flags.lines().any(|line| line.split(' ').any(|word| word == flag));
    let module = [("vmx", "kvm_intel"), ("svm", "kvm_amd")].into_iter().find(|(flag, _)| can(flag));
    match module {
        Some((_, module)) if machine.module(module) == Module::There => finding.fix(format!(
            "sudo modprobe {module}; if it refuses, turn on virtualization in the firmware"
        )),
        Some((_, module)) => finding.fix(format!("a kernel with the module {module}")),
        None if machine.architecture == "x86_64" => {
            finding.fix("turn on virtualization in the firmware, if the processor has it")
        }
        None => finding,
    }
}
