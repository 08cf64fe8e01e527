//! Which calls are asked about, and which call it is that is asked about.

use std::collections::BTreeMap;

use spec::Intercept;

use super::Arch;
use super::multiplex::calls;
use super::names::Abi;
use super::rule::{Action, Call, Condition, Rule};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mknod,
    MknodAt,
    /// By path, following links or not, or by descriptor.
    SetXattr,
    SetXattrOfLink,
    SetXattrOfOpen,
    Mount,
    SysInfo,
    SetScheduler,
    Bpf,
}

/// Commands of `bpf(2)` in `linux/bpf.h`: load, attach, detach a program.
const BPF_COMMANDS: [u32; 3] = [5, 8, 9];

/// The rules about them. A new mount by `fsopen(2)` and its kin is refused as unknown where mounts are
/// asked about: it is many calls, of which no single one says what is mounted, and programs fall back.
pub(super) fn rules(intercept: &Intercept, abi: Abi) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        all(intercept, abi).map(|(_, call)| Rule { call, action: Action::Ask }).collect();
    if intercept.mount.is_some() {
        let unknown = calls("fsopen", abi).into_iter();
        rules.extend(unknown.map(|call| Rule { call, action: Action::REFUSE }));
    }
    rules
}

/// From the numbers of calls to what they are.
#[derive(Debug)]
pub(crate) struct Numbers(BTreeMap<(u32, u32), Kind>);

impl Numbers {
    pub(crate) fn of(intercept: &Intercept, arch: Arch) -> Numbers {
        let abis = arch.abis().into_iter();
        let numbers = abis.flat_map(|abi| {
            all(intercept, abi).map(move |(kind, call)| ((abi.audit(), call.number), kind))
        });
        Numbers(numbers.collect())
    }

    /// What a call of an ABI is.
    pub(crate) fn kind(&self, audit: u32, number: u32) -> Option<Kind> {
        self.0.get(&(audit, number)).copied()
    }
}

fn all(intercept: &Intercept, abi: Abi) -> impl Iterator<Item = (Kind, Call)> {
    let native = matches!(abi, Abi::X86_64 | Abi::Aarch64);
    let device = |argument| {
        let (mask, value) = (libc::S_IFMT, libc::S_IFCHR);
        vec![Some(Condition::Equals { argument, mask, value })]
    };
    let commands = BPF_COMMANDS.map(|value| {
        let mask = u32::MAX;
        Some(Condition::Equals { argument: 0, mask, value })
    });
    let any = || vec![None];
    [
        (intercept.mknod, "mknod", Kind::Mknod, device(1)),
        (intercept.mknod, "mknodat", Kind::MknodAt, device(2)),
        (intercept.setxattr, "setxattr", Kind::SetXattr, any()),
        (intercept.setxattr, "lsetxattr", Kind::SetXattrOfLink, any()),
        (intercept.setxattr, "fsetxattr", Kind::SetXattrOfOpen, any()),
        (intercept.mount.is_some(), "mount", Kind::Mount, any()),
        // What it fills in looks otherwise for 32-bit programs.
        (intercept.sysinfo && native, "sysinfo", Kind::SysInfo, any()),
        (intercept.sched_setscheduler, "sched_setscheduler", Kind::SetScheduler, any()),
        (intercept.device_filters, "bpf", Kind::Bpf, commands.to_vec()),
    ]
    .into_iter()
    .filter(|(on, ..)| *on)
    .flat_map(move |(_, name, kind, conditions)| {
        let calls = calls(name, abi).into_iter();
        calls.flat_map(move |call| {
            let with = |only| (kind, Call { only, ..call });
            conditions.clone().into_iter().map(with).collect::<Vec<_>>()
        })
    })
}
