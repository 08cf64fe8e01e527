//! From a proxy's options to what carries it. Pure.

use std::net::IpAddr;

use network::Forward;
use options::{
    Protocol, ProxyAddress,
    device::{Device, Proxy},
};
use spec::{End, ProxySpec, SocketOwner};

use super::Wanted;
use crate::{
    Error, Result,
    instances::{Kind, options::Typed},
};

/// Fails where a proxy cannot be.
pub(crate) fn check(kind: Kind, typed: &Typed) -> Result<()> {
    for (name, proxy) in proxies(typed) {
        if kind == Kind::VirtualMachine && !proxy.nat {
            let why = "a virtual machine's needs nat=true: nobody reaches its sockets from outside but by packets";
            return Err(of_device(name, why));
        }
        carrier(name, proxy, typed)?;
    }
    Ok(())
}

/// Whether some are rules of the kernel.
pub(crate) fn has_rules(typed: &Typed) -> bool {
    proxies(typed).any(|(_, proxy)| proxy.nat)
}

/// All that carry the proxies of an instance.
pub(super) fn plan(typed: &Typed) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (name, proxy) in proxies(typed) {
        match carrier(name, proxy, typed)? {
            Carrier::Process(process) => drop(wanted.processes.insert(name.clone(), process)),
            Carrier::Rules(rules) => wanted.rules.push(rules),
        }
    }
    Ok(wanted)
}

enum Carrier {
    Process(ProxySpec),
    Rules(Forward),
}

fn proxies(typed: &Typed) -> impl Iterator<Item = (&String, &Proxy)> {
    typed.devices.iter().filter_map(|(name, device)| match device {
        Device::Proxy(proxy) => Some((name, &**proxy)),
        _ => None,
    })
}

fn carrier(name: &str, proxy: &Proxy, typed: &Typed) -> Result<Carrier> {
    let (Some(listen), Some(connect)) = (&proxy.listen, &proxy.connect) else {
        return Err(of_device(name, "listen and connect must be set"));
    };
    if proxy.nat {
        return rules(name, (listen, connect), typed).map(Carrier::Rules);
    }
    let owner = SocketOwner::default();
    Ok(Carrier::Process(ProxySpec {
        version: spec::VERSION,
        device: name.to_owned(),
        // Whoever starts it knows.
        generation: 0,
        listen: end(listen),
        connect: end(connect),
        inside: !proxy.on_host(),
        header: proxy.proxy_protocol,
        socket: SocketOwner {
            uid: proxy.uid.unwrap_or(owner.uid),
            gid: proxy.gid.unwrap_or(owner.gid),
            mode: proxy.mode.map_or(owner.mode, |mode| mode.bits() & 0o777),
        },
        uid: proxy.security_uid,
        gid: proxy.security_gid,
    }))
}

fn end(address: &ProxyAddress) -> End {
    match address {
        ProxyAddress::Ip { protocol, address, ports } => {
            End::Ip { udp: *protocol == Protocol::Udp, address: *address, ports: ports.clone() }
        }
        ProxyAddress::Path(path) => End::Path { path: path.clone() },
        ProxyAddress::Abstract(name) => End::Abstract { name: name.clone() },
    }
}

fn rules(
    name: &str,
    (listen, connect): (&ProxyAddress, &ProxyAddress),
    typed: &Typed,
) -> Result<Forward> {
    let (
        ProxyAddress::Ip { protocol, address: listen, ports },
        ProxyAddress::Ip { address: connect, ports: target_ports, .. },
    ) = (listen, connect)
    else {
        return Err(of_device(name, "nat is of tcp and udp"));
    };
    Ok(Forward {
        udp: *protocol == Protocol::Udp,
        listen: *listen,
        ports: ports.clone(),
        target: target(name, *connect, typed)?,
        target_ports: target_ports.clone(),
    })
}

/// The address of the instance's that packets go to: it must be one that stays its own.
fn target(name: &str, connect: IpAddr, typed: &Typed) -> Result<IpAddr> {
    let fixed = typed.devices.values().filter_map(Device::nic).filter_map(|nic| match connect {
        IpAddr::V4(_) => nic.ipv4().map(IpAddr::V4),
        IpAddr::V6(_) => nic.ipv6().map(IpAddr::V6),
    });
    let fixed: Vec<IpAddr> = fixed.collect();
    let key = if connect.is_ipv4() { "ipv4.address" } else { "ipv6.address" };
    if connect.is_unspecified() {
        let none = || of_device(name, &format!("nat needs a network card with {key} set"));
        return fixed.first().copied().ok_or_else(none);
    }
    if fixed.contains(&connect) {
        return Ok(connect);
    }
    let why =
        format!("connect: {connect} is not the {key} of any of its network cards, which nat needs");
    Err(of_device(name, &why))
}

fn of_device(name: &str, why: &str) -> Error {
    Error::invalid("devices", format!("device \"{name}\": {why}"))
}

#[cfg(test)]
mod tests {
    use options::{Options, Raw, device::Devices, instance::InstanceOptions};

    use super::*;

    fn typed(devices: &str) -> Typed {
        let devices: Devices = serde_json::from_str(devices).unwrap();
        let options = InstanceOptions::parse(&Raw::new()).unwrap();
        Typed { options, devices: devices.parse().unwrap() }
    }

    #[test]
    fn rules_need_an_address_that_stays() {
        let card = r#""eth0": {"type": "nic", "network": "n", "ipv4.address": "10.0.0.5"}"#;
        let with = |connect: &str, card: &str| {
            typed(&format!(
                r#"{{"web": {{"type": "proxy", "nat": "true", "listen": "tcp:192.0.2.1:80-81",
                    "connect": "{connect}"}}, {card}}}"#
            ))
        };
        for connect in ["tcp:0.0.0.0:8080", "tcp:10.0.0.5:8080"] {
            let wanted = plan(&with(connect, card)).unwrap();
            assert!(wanted.processes.is_empty());
            assert_eq!(wanted.rules[0].target, IpAddr::from([10, 0, 0, 5]));
            assert_eq!((&wanted.rules[0].ports, wanted.rules[0].udp), (&vec![80, 81], false));
        }
        let error = plan(&with("tcp:10.0.0.6:8080", card)).unwrap_err().to_string();
        assert!(error.contains("10.0.0.6 is not the ipv4.address"), "{error}");
        let leased = r#""eth0": {"type": "nic", "network": "n"}"#;
        let error = plan(&with("tcp:0.0.0.0:80", leased)).unwrap_err().to_string();
        assert!(error.contains("device \"web\": nat needs a network card"), "{error}");
    }

    #[test]
    fn a_process_is_told_all() {
        let typed = typed(
            r#"{"x": {"type": "proxy", "listen": "unix:/run/x", "connect": "unix:@y", "uid": "5",
                "mode": "0600", "security.gid": "7", "bind": "instance"}}"#,
        );
        let wanted = plan(&typed).unwrap();
        let process = &wanted.processes["x"];
        assert_eq!(process.socket, SocketOwner { uid: 5, gid: 0, mode: 0o600 });
        assert_eq!((process.inside, process.uid, process.gid), (true, None, Some(7)));
        assert_eq!(process.connect, End::Abstract { name: "y".into() });
        assert!(check(Kind::Container, &typed).is_ok());
        let machine = check(Kind::VirtualMachine, &typed).unwrap_err().to_string();
        assert!(machine.contains("needs nat=true"), "{machine}");
    }
}
