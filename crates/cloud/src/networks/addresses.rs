//! Addresses that users choose for network devices.

use std::net::IpAddr;

use options::{device::Nic, network::BridgeOptions};
use store::Read;

use crate::{
    Error, Result,
    db::{instances as instance_rows, networks::Network},
    instances::options::Typed,
};

/// Fails when a device's address is outside its network, or another instance's.
pub(crate) fn check(db: &Read<'_>, network: &Network, nic: &Nic, own: (&str, &str)) -> Result<()> {
    let wanted = [nic.ipv4().map(IpAddr::V4), nic.ipv6().map(IpAddr::V6)];
    let wanted: Vec<IpAddr> = wanted.into_iter().flatten().collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let options = super::check_options(&network.config)?;
    for address in &wanted {
        fits(&options, &network.name, *address)?;
    }
    for row in instance_rows::all(db)? {
        if (row.project.as_str(), row.name.as_str()) == own {
            continue;
        }
        let Ok(typed) = Typed::parse(&crate::expand::expand(db, &row)?) else { continue };
        let others = typed.devices.values().filter_map(|device| device.nic());
        for other in others.filter(|other| other.bridge() == Some(network.name.as_str())) {
            let theirs = [other.ipv4().map(IpAddr::V4), other.ipv6().map(IpAddr::V6)];
            if let Some(taken) = theirs.into_iter().flatten().find(|one| wanted.contains(one)) {
                let why = format!(
                    "{taken} on network \"{}\" is instance \"{}\"'s",
                    network.name, row.name
                );
                return Err(Error::invalid("address", why));
            }
        }
    }
    Ok(())
}

fn fits(options: &BridgeOptions, network: &str, address: IpAddr) -> Result<()> {
    let (inside, subnet) = match address {
        IpAddr::V4(one) => {
            let net = options.ipv4_address.value();
            let inside = net.is_some_and(|net| net.contains(&one) && net.addr() != one);
            (inside, net.map(|net| net.trunc().to_string()))
        }
        IpAddr::V6(one) => {
            let net = options.ipv6_address.value();
            let inside = net.is_some_and(|net| net.contains(&one) && net.addr() != one);
            (inside, net.map(|net| net.trunc().to_string()))
        }
    };
    if inside {
        return Ok(());
    }
    let subnet = subnet.unwrap_or_else(|| String::from("has no subnet of that kind"));
    Err(Error::invalid(
        "address",
        format!("{address}: network \"{network}\" has {subnet}, less the bridge's own"),
    ))
}
