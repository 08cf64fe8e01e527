//! Which devices a container may use where nodes open any: a privileged one, or one that has nodes made or file systems
//! mounted for it (`spec::InstanceSpec::filters_devices`).
//!
//! Others need no filter: the kernel lets no user namespace make or open device nodes that were not
//! given to it. In a privileged one root could make a node of the host's disk.
//!
//! ```text
//! rules(spec devices) --program--> eBPF for a control group of version 2 (sys attaches it)
//!                     --v1_lines-> lines for devices.deny and devices.allow
//! ```
//! Pure. All is refused but the rules.

mod program;

#[cfg(test)]
mod machine;

use std::fmt;

use spec::{DeviceKind, DeviceNode};

pub use program::program;

/// What may be done with a device, as bits of `linux/bpf.h` (`BPF_DEVCG_ACC_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Make a node for it.
    pub const MAKE: Access = Access(1);
    /// Everything: make, read, write.
    pub const ALL: Access = Access(7);

    fn bits(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(2, "r"), (4, "w"), (1, "m")];
        letters.iter().filter(|(bit, _)| self.0 & bit != 0).try_for_each(|(_, l)| f.write_str(l))
    }
}

/// Devices that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Character or block.
    pub kind: DeviceKind,
    /// `None` means all.
    pub major: Option<u32>,
    /// `None` means all.
    pub minor: Option<u32>,
    /// For what.
    pub access: Access,
}

/// Numbers from the kernel's list of devices: null, zero, full, random, urandom, tty, console, ptmx,
/// fuse, net/tun.
const STANDARD: [(u32, u32); 10] =
    [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (10, 229), (10, 200)];
/// The first of eight majors for pts/*; the kernel uses no other since version 2.6.
const PTS: u32 = 136;

/// What a container with these further devices may use. Nodes may be made for everything, so that
/// packages and archives with nodes unpack; to open them is another matter.
pub fn rules(devices: &[DeviceNode]) -> Vec<Rule> {
    let make = |kind| Rule { kind, major: None, minor: None, access: Access::MAKE };
    let all = |kind, major, minor| Rule { kind, major: Some(major), minor, access: Access::ALL };
    let mut rules = vec![make(DeviceKind::Char), make(DeviceKind::Block)];
    rules.extend(STANDARD.map(|(major, minor)| all(DeviceKind::Char, major, Some(minor))));
    rules.push(all(DeviceKind::Char, PTS, None));
    rules.extend(devices.iter().map(|node| all(node.kind, node.major, Some(node.minor))));
    rules
}

/// For control groups of version 1: file and line, to be written one at a time in this order.
pub fn v1_lines(rules: &[Rule]) -> Vec<(&'static str, String)> {
    let mut lines = vec![("devices.deny", "a".to_owned())];
    lines.extend(rules.iter().map(|rule| ("devices.allow", v1_line(rule))));
    lines
}

fn v1_line(rule: &Rule) -> String {
    let kind = match rule.kind {
        DeviceKind::Char => 'c',
        DeviceKind::Block => 'b',
    };
    let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
    format!("{kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access)
}

#[cfg(test)]
mod tests;
