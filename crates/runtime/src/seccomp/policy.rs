//! The specification into rules for each ABI.
//!
//! What the user's list says of a call comes first, then what is asked about.
//! An allow list stands alone: what is not on it is refused, and the default list is not asked.
//! Otherwise the user's list comes before the default one, so that a line such as
//! `open_by_handle_at allow` takes a call off the latter.

use spec::Seccomp;

use super::asked;
use super::line::{Line, parse};
use super::multiplex::calls;
use super::names::Abi;
use super::rule::{AbiRules, Action, Call, Condition, Rule};
use super::{Arch, Error};

/// Calls that reach the kernel of the whole machine or walk past the container's root. Most need a
/// capability a user namespace does not give; the filter does not rely on it.
const DEFAULT: [&str; 6] = [
    "kexec_load",
    "kexec_file_load",
    "open_by_handle_at",
    "init_module",
    "finit_module",
    "delete_module",
];

impl Arch {
    /// The 64-bit ABI, then the 32-bit one.
    pub(super) const fn abis(self) -> [Abi; 2] {
        match self {
            Arch::X86_64 => [Abi::X86_64, Abi::I386],
            Arch::Aarch64 => [Abi::Aarch64, Abi::Arm],
        }
    }
}

/// All rules, the more frequent ABI first.
pub(super) fn abis(policy: &Seccomp, arch: Arch) -> Result<Vec<AbiRules>, Error> {
    let allow = parse_all(&policy.allow)?;
    let deny = parse_all(&policy.deny)?;
    let [native, compat] = arch.abis();
    let mut all = vec![abi_rules(policy, &allow, &deny, native)];
    all.push(if policy.deny_compat {
        AbiRules { rules: Vec::new(), otherwise: Action::REFUSE, ..nothing(compat) }
    } else {
        abi_rules(policy, &allow, &deny, compat)
    });
    Ok(all)
}

fn parse_all(lines: &[String]) -> Result<Vec<Line<'_>>, Error> {
    lines.iter().filter_map(|line| parse(line).transpose()).collect()
}

fn abi_rules(policy: &Seccomp, allow: &[Line<'_>], deny: &[Line<'_>], abi: Abi) -> AbiRules {
    let mut rules = listed(deny, Action::REFUSE, abi);
    if policy.no_forced_umount {
        rules.extend(forced_umounts(abi));
    }
    rules.extend(asked::rules(&policy.intercept, abi));
    if allow.is_empty() {
        if policy.deny_default {
            rules.extend(default_rules(abi));
        }
        return AbiRules { rules, ..nothing(abi) };
    }
    rules.extend(listed(allow, Action::Allow, abi));
    AbiRules { rules, otherwise: Action::REFUSE, ..nothing(abi) }
}

fn listed(lines: &[Line<'_>], unsaid: Action, abi: Abi) -> Vec<Rule> {
    let rules = |line: &Line<'_>| all_ways(line.name, line.action.unwrap_or(unsaid), abi);
    lines.iter().flat_map(rules).collect()
}

fn all_ways(name: &str, action: Action, abi: Abi) -> Vec<Rule> {
    calls(name, abi).into_iter().map(|call| Rule { call, action }).collect()
}

fn default_rules(abi: Abi) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        DEFAULT.iter().flat_map(|name| all_ways(name, Action::REFUSE, abi)).collect();
    rules.extend(forced_umounts(abi));
    rules
}

fn forced_umounts(abi: Abi) -> impl Iterator<Item = Rule> {
    calls("umount2", abi).into_iter().map(|call| forced_umount(call.number))
}

/// A forced unmount of a network file system would abort the requests of its other users too.
fn forced_umount(number: u32) -> Rule {
    let only = Some(Condition::AnyBit { argument: 1, bits: libc::MNT_FORCE as u32 });
    Rule { call: Call { number, only }, action: Action::Errno(libc::EACCES as u16) }
}

impl Abi {
    /// The kernel's number of it, `AUDIT_ARCH_*` of `linux/audit.h`: ELF machine, plus a bit for little
    /// endian, plus a bit for 64.
    pub(super) const fn audit(self) -> u32 {
        match self {
            Abi::X86_64 => 0xc000_003e,
            Abi::I386 => 0x4000_0003,
            Abi::Aarch64 => 0xc000_00b7,
            Abi::Arm => 0x4000_0028,
        }
    }
}

/// No rule at all.
fn nothing(abi: Abi) -> AbiRules {
    // x32 calls come with the audit number of x86_64 and this bit.
    let end = (abi == Abi::X86_64).then_some(0x4000_0000);
    AbiRules { audit: abi.audit(), end, rules: Vec::new(), otherwise: Action::Allow }
}
