//! The steps from what exists to what should. Pure; no step when nothing is amiss.

use ipnet::IpNet;

use crate::{Desired, Error, Family, ForeignRule, Link, Observed, ObservedLink, Result, Sysctl};

/// One step; safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Make the bridge, down.
    CreateLink(Link),
    /// Set hardware address, MTU, alias and up.
    SetLink(Link),
    /// Write a kernel setting.
    Sysctl(Sysctl),
    /// Give the link an address.
    AddAddress(IpNet),
    /// Take an address away.
    RemoveAddress(IpNet),
    /// Make a link a port of the bridge, and set it up.
    AddPort(String),
    /// Route a subnet to the link.
    AddRoute(IpNet),
    /// Route it no more.
    RemoveRoute(IpNet),
    /// Put the table of rules in place, whole.
    Table,
    /// Put our rules into Docker's chain in place of the old ones, or only remove those.
    Docker {
        /// In which table.
        family: Family,
        /// Rules of ours that are there.
        old: Vec<ForeignRule>,
        /// Whether there are to be new ones.
        wanted: bool,
    },
}

/// Compares, and lists the steps in the order in which they are to be done.
///
/// # Errors
/// A link of that name belongs to somebody else.
pub fn diff(want: &Desired, have: &Observed) -> Result<Vec<Change>> {
    let mut out = Vec::new();
    link(want, have, &mut out)?;
    let wrong = want.sysctls.iter().filter(|s| have.sysctls.get(&s.path) != Some(&s.value));
    let sysctls: Vec<Change> = wrong.cloned().map(Change::Sysctl).collect();
    // Settings of the link come before it is set up, so that the kernel makes no address of its own.
    let up = out.pop_if(|change| matches!(change, Change::SetLink(_)));
    out.extend(sysctls);
    out.extend(up);
    addresses(want, have, &mut out);
    let absent = want.ports.iter().filter(|port| !have.ports.contains(port));
    out.extend(absent.cloned().map(Change::AddPort));
    routes(want, have, &mut out);
    if have.table != Some((Some(want.table.marker.clone()), want.table.rules)) {
        out.push(Change::Table);
    }
    docker(want, have, &mut out);
    Ok(out)
}

fn link(want: &Desired, have: &Observed, out: &mut Vec<Change>) -> Result<()> {
    let Some(there) = &have.link else {
        out.push(Change::CreateLink(want.link.clone()));
        out.push(Change::SetLink(want.link.clone()));
        return Ok(());
    };
    if let Some(what) = foreign(&want.link, there) {
        return Err(Error::Taken { link: want.link.name.clone(), what });
    }
    let same = there.hwaddr == Some(want.link.hwaddr)
        && there.mtu == want.link.mtu
        && there.up
        && there.alias == want.link.alias;
    if !same {
        out.push(Change::SetLink(want.link.clone()));
    }
    Ok(())
}

/// Whose the link is, if not ours. A bridge without an alias but with the wanted hardware address is
/// one that a crash left half made.
pub(crate) fn foreign(want: &Link, there: &ObservedLink) -> Option<String> {
    if there.kind != "bridge" {
        return Some(if there.kind.is_empty() { "hardware".into() } else { there.kind.clone() });
    }
    let half = there.alias.is_empty() && there.hwaddr == Some(want.hwaddr);
    match there.alias.as_str() {
        alias if alias == want.alias => None,
        _ if half => None,
        "" => Some("a bridge made by somebody else".into()),
        alias => Some(format!("a bridge of '{alias}'")),
    }
}

fn addresses(want: &Desired, have: &Observed, out: &mut Vec<Change>) {
    let extra = have.addresses.iter().filter(|address| !want.addresses.contains(address));
    out.extend(extra.copied().map(Change::RemoveAddress));
    let absent = want.addresses.iter().filter(|address| !have.addresses.contains(address));
    out.extend(absent.copied().map(Change::AddAddress));
}

fn routes(want: &Desired, have: &Observed, out: &mut Vec<Change>) {
    let extra = have.routes.iter().filter(|route| !want.routes.contains(route));
    out.extend(extra.copied().map(Change::RemoveRoute));
    let absent = want.routes.iter().filter(|route| !have.routes.contains(route));
    out.extend(absent.copied().map(Change::AddRoute));
}

/// Two rules a family: what comes from the bridge, and what goes to it.
fn docker(want: &Desired, have: &Observed, out: &mut Vec<Change>) {
    for family in [Family::Ip, Family::Ip6] {
        let wanted = want.docker.contains(&family);
        let old = have.foreign.iter().filter(|rule| rule.family == family);
        let old: Vec<ForeignRule> = old.cloned().collect();
        if old.len() != if wanted { 2 } else { 0 } {
            out.push(Change::Docker { family, old, wanted });
        }
    }
}

#[cfg(test)]
mod tests;
