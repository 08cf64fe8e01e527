//! Room and health of disks, as far as the kernel knows of it.

use std::path::Path;

use super::{Finding, machine::Machine};
use crate::output::human;

/// Below that the next image does not fit.
const SHORT: u64 = 1 << 30;
/// Below that it is soon so.
const LOW: u64 = 5 << 30;
/// What a chip says when nine tenths of its life are over (JEDEC JESD84-B51, `DEVICE_LIFE_TIME_EST`).
const OLD: u64 = 0x0a;

pub(super) fn look(machine: &Machine) -> Vec<Finding> {
    let mut sick = [ext4(machine), btrfs(machine), arrays(machine), chips(machine)].concat();
    if sick.is_empty() {
        sick.push(Finding::well("disks", "the kernel knows of no error"));
    }
    room(machine).into_iter().chain(sick).collect()
}

fn room(machine: &Machine) -> Option<Finding> {
    let there = machine.folder.ancestors().find(|folder| folder.exists())?;
    let found = rustix::fs::statvfs(there).ok()?;
    Some(judge_room(&machine.folder, found.f_bavail.saturating_mul(found.f_frsize)))
}

pub(super) fn judge_room(folder: &Path, free: u64) -> Finding {
    let says = format!("{} free for {}", human::bytes(free), folder.display());
    match free {
        ..SHORT => {
            Finding::wrong("room", says).fix("microcloud image list; delete what is not used")
        }
        SHORT..LOW => Finding::advice("room", says),
        _ => Finding::well("room", says),
    }
}

fn ext4(machine: &Machine) -> Vec<Finding> {
    let folder = "/sys/fs/ext4";
    let errors = |disk: &String| machine.number(&format!("{folder}/{disk}/errors_count"));
    let sick = machine.names(folder).into_iter().filter(|disk| errors(disk) > Some(0));
    let words = "its file system had errors since it was last checked";
    sick.map(|disk| {
        Finding::wrong("disks", format!("{disk}: {words}"))
            .fix(format!("sudo tune2fs -E force_fsck /dev/{disk}, and restart"))
    })
    .collect()
}

fn btrfs(machine: &Machine) -> Vec<Finding> {
    let folder = "/sys/fs/btrfs";
    let mut all = Vec::new();
    for id in machine.names(folder) {
        for device in machine.names(&format!("{folder}/{id}/devinfo")) {
            let stats = machine.read(&format!("{folder}/{id}/devinfo/{device}/error_stats"));
            let stats = stats.unwrap_or_default();
            let counts = stats.lines().filter_map(|line| line.split_once(' '));
            let bad: Vec<_> = counts.filter(|(_, count)| count.trim() != "0").collect();
            if let Some((what, count)) = bad.first() {
                let words = format!("btrfs {id}, device {device}: {count} {what}");
                all.push(Finding::wrong("disks", words).fix("microcloud storage verify POOL"));
            }
        }
    }
    all
}

fn arrays(machine: &Machine) -> Vec<Finding> {
    let missing = |disk: &str| machine.number(&format!("/sys/block/{disk}/md/degraded"));
    let sick = machine.names("/sys/block").into_iter().filter(|disk| missing(disk) > Some(0));
    sick.map(|disk| Finding::wrong("disks", format!("{disk}: a disk of this array is gone")))
        .collect()
}

/// SD cards do not say; eMMC chips do.
fn chips(machine: &Machine) -> Vec<Finding> {
    let old = |disk: &String| {
        let life = machine.read(&format!("/sys/block/{disk}/device/life_time"));
        let parts = life.unwrap_or_default();
        let tenths = parts
            .split(' ')
            .filter_map(|part| u64::from_str_radix(part.trim_start_matches("0x"), 16).ok());
        tenths.max() >= Some(OLD)
    };
    let sick = machine.names("/sys/block").into_iter().filter(old);
    sick.map(|disk| {
        Finding::wrong("disks", format!("{disk}: nine tenths of its life are over"))
            .fix("export what is on it, and replace it")
    })
    .collect()
}
