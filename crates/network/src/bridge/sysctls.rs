//! Kernel settings of a bridge.

use super::plan::Resolved;
use crate::{Facts, Sysctl};

pub(super) fn plan(resolved: &Resolved<'_>, facts: &Facts) -> Vec<Sysctl> {
    let mut out = Vec::new();
    ipv4(resolved, &mut out);
    if facts.ipv6 {
        ipv6(resolved, facts, &mut out);
    }
    out
}

fn ipv4(resolved: &Resolved<'_>, out: &mut Vec<Sysctl>) {
    let routed = resolved.bridge.ipv4.as_ref().is_some_and(|v4| v4.routing);
    if resolved.ipv4.is_some() && routed {
        put(out, "net/ipv4/ip_forward".into(), 1);
        put(out, format!("net/ipv4/conf/{}/forwarding", resolved.link.name), 1);
    }
}

fn ipv6(resolved: &Resolved<'_>, facts: &Facts, out: &mut Vec<Sysctl>) {
    let link = &resolved.link.name;
    if resolved.ipv6.is_none() {
        // Else guests reach the machine by link-local addresses on a network without IPv6.
        put(out, format!("net/ipv6/conf/{link}/disable_ipv6"), 1);
        return;
    }
    put(out, format!("net/ipv6/conf/{link}/disable_ipv6"), 0);
    put(out, format!("net/ipv6/conf/{link}/accept_ra"), 0);
    put(out, format!("net/ipv6/conf/{link}/accept_dad"), 0);
    // No address of the kernel's own making: it would come late (see addresses).
    put(out, format!("net/ipv6/conf/{link}/addr_gen_mode"), 1);
    if !resolved.bridge.ipv6.as_ref().is_some_and(|v6| v6.routing) {
        return;
    }
    // A router stops taking advertisements, and the machine would lose its own way out, unless told
    // that it takes them all the same (2).
    for name in facts.accepting_ra.iter().filter(|name| *name != link) {
        put(out, format!("net/ipv6/conf/{name}/accept_ra"), 2);
    }
    put(out, "net/ipv6/conf/all/forwarding".into(), 1);
    put(out, format!("net/ipv6/conf/{link}/forwarding"), 1);
}

fn put(out: &mut Vec<Sysctl>, path: String, value: u32) {
    out.push(Sysctl { path, value: value.to_string() });
}
