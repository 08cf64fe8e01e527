//! Limits of the kernel that many instances reach, and page sizes.

use super::{Finding, machine::Machine, mend::Mend};

/// Limits that all instances share, what each should be at least, and who runs into it. What the users of an
/// unprivileged container use counts for root of the host, too, who made it.
const SHARED: [(&str, u64, &str); 5] = [
    ("fs.inotify.max_user_instances", 1024, "some 25 containers with systemd use up 128"),
    ("fs.inotify.max_user_watches", 524_288, "tools that watch files inside containers"),
    ("kernel.keys.maxkeys", 2000, "containers have a keyring each"),
    ("vm.max_map_count", 262_144, "databases and search engines inside containers"),
    ("user.max_user_namespaces", 1024, "each unprivileged container has one"),
];
/// What nearly all programs are built for.
const PAGE: usize = 4096;

pub(super) fn look(machine: &Machine) -> Vec<Finding> {
    let low = SHARED.into_iter().filter_map(|limit| low(machine, limit));
    let mut all: Vec<_> = low.chain(page(machine)).collect();
    if all.is_empty() {
        all.push(Finding::well("limits", "enough for many instances"));
    }
    all
}

fn low(machine: &Machine, (name, least, why): (&'static str, u64, &str)) -> Option<Finding> {
    let found = machine.number(&format!("/proc/sys/{}", name.replace('.', "/")))?;
    if found >= least {
        return None;
    }
    let words = format!("{name} is {found}: {why}");
    let finding = match found {
        0 => Finding::wrong("limits", words),
        _ => Finding::advice("limits", words),
    };
    Some(finding.mend(Mend::Limit { name, value: least }))
}

fn page(machine: &Machine) -> Option<Finding> {
    if machine.page == PAGE {
        return None;
    }
    let words = format!(
        "pages have {} bytes: some programs and disk images made elsewhere want {PAGE}",
        machine.page
    );
    let finding = Finding::advice("page size", words);
    Some(match machine.is_pi() {
        true => finding.fix("kernel=kernel8.img in /boot/firmware/config.txt, and restart"),
        false => finding,
    })
}
