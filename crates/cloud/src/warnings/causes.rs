//! What is wrong now: what was noted, and what can be seen of this machine.

use super::{
    Kind,
    notes::{About, Troubles},
};
use crate::World;

/// Controllers that instances are limited by: the kernel's name of each, where version 1 has another, and what is
/// missing without it.
const CONTROLLERS: [(&str, &str, Kind, &str); 5] = [
    ("io", "blkio", Kind::NoBlkio, "what instances read and write is not counted"),
    ("cpu", "cpu", Kind::NoCpu, "limits.cpu.allowance cannot be kept"),
    ("cpuset", "cpuset", Kind::NoCpuset, "limits.cpu cannot be kept"),
    ("memory", "memory", Kind::NoMemory, "limits.memory cannot be kept"),
    ("pids", "pids", Kind::NoPids, "limits.processes cannot be kept"),
];

/// All that is wrong.
pub(crate) fn now(world: &World) -> Troubles {
    let mut found = world.warnings.now();
    let mut here = |kind, said: String| {
        found.insert(About { kind, project: String::new(), entity: String::new() }, said);
    };
    for (v2, v1, kind, lost) in CONTROLLERS {
        if !runtime::has_controller(v2, v1) {
            here(kind, format!("the kernel has no control group controller {v2}: {lost}"));
        }
    }
    if !world.host.apparmor {
        let said = "instances are confined without AppArmor: the kernel has none, or apparmor_parser is missing";
        here(Kind::NoAppArmor, said.to_owned());
    }
    let damaged = crate::server::database::damaged(&world.dirs);
    if !damaged.is_empty() {
        here(Kind::Database, damaged.join("; "));
    }
    if let Some(said) = world.depots.troubles() {
        here(Kind::Depot, said);
    }
    if let Some(said) = machines(&world.host.architecture, world.host.accel) {
        here(Kind::InstanceType, said);
    } else if vm::Virtiofsd::find().is_err() {
        let said = "virtiofsd is not installed: virtual machines cannot be given folders";
        here(Kind::NoVirtiofsd, said.to_owned());
    }
    found
}

/// Why virtual machines cannot run, or not as fast as they should.
fn machines(architecture: &str, accel: vm::Accel) -> Option<String> {
    let program = format!("qemu-system-{architecture}");
    if !exec::installed(&program) {
        return Some(format!("virtual-machine: {program} is not installed"));
    }
    (accel == vm::Accel::Tcg).then(|| {
        String::from(
            "virtual-machine: /dev/kvm is missing here, or emulates: they run in QEMU's translator, some ten times \
             slower",
        )
    })
}
