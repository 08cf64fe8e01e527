//! What does not stop a network but will keep its guests from working, and what to do about it.

use std::fmt;

use crate::{Denial, Family};

/// Something the operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// ufw refuses what its rules do not name.
    Ufw {
        /// The bridge.
        link: String,
    },
    /// firewalld refuses what is in no zone.
    Firewalld {
        /// The bridge.
        link: String,
    },
    /// Some packet filter drops what it does not name.
    Denial {
        /// The bridge.
        link: String,
        /// Where.
        denial: Denial,
    },
    /// Old-style iptables rules exist, which nft does not show.
    LegacyIptables {
        /// The bridge.
        link: String,
    },
    /// An external interface is not on this machine (yet).
    NoInterface {
        /// Its name.
        name: String,
    },
    /// IPv6 is asked for, and the kernel has it not.
    NoIpv6,
    /// Names are not served on the bridge.
    Nameless {
        /// Why not.
        why: String,
    },
    /// Guests can form no addresses in the IPv6 subnet.
    NotSlash64 {
        /// The subnet.
        net: ipnet::IpNet,
    },
    /// The subnet is also reached by another link.
    Overlap {
        /// The subnet.
        net: ipnet::IpNet,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Ufw { link } => write!(
                f,
                "ufw drops what guests on {link} send; allow it with: ufw allow in on {link}; \
                 ufw route allow in on {link}; ufw route allow out on {link}"
            ),
            Warning::Firewalld { link } => write!(
                f,
                "firewalld may refuse what guests on {link} send; allow it with: firewall-cmd \
                 --permanent --zone=trusted --change-interface={link}; firewall-cmd --reload"
            ),
            Warning::Denial { link, denial: Denial { family, table, chain, hook } } => write!(
                f,
                "chain {chain} of table {family} {table} drops {hook} packets by default; let it \
                 accept those from and to {link}"
            ),
            Warning::LegacyIptables { link } => write!(
                f,
                "old iptables rules exist and cannot be looked at; if guests have no network: \
                 iptables-legacy -I FORWARD -i {link} -j ACCEPT; iptables-legacy -I FORWARD -o \
                 {link} -j ACCEPT"
            ),
            Warning::NoInterface { name } => {
                write!(f, "interface {name} does not exist; it joins the bridge once it does")
            }
            Warning::NoIpv6 => write!(f, "this kernel has no IPv6; the network has none either"),
            Warning::Nameless { why } => write!(f, "guests' names are not served: {why}"),
            Warning::NotSlash64 { net } => write!(
                f,
                "guests form addresses in a /64 only, and {net} is none; set ipv6.dhcp.stateful to \
                 true to hand them out"
            ),
            Warning::Overlap { net } => {
                write!(f, "{net} overlaps an address or route of this machine")
            }
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
