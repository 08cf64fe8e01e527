//! Addresses, names, the way out, and what of it outlives the daemon.

use lab::{Client, Daemon, Netns, until, whoami};

/// The bridge's IPv4 address without its prefix.
fn gateway(daemon: &Daemon) -> String {
    let network = daemon.get("/1.0/networks/mcbr0");
    let address = network["config"]["ipv4.address"].as_str().unwrap_or_default();
    address.split('/').next().unwrap_or_default().to_owned()
}

/// The address that a name has as an instance sees it.
fn looked_up(daemon: &Daemon, from: &str, name: &str) -> String {
    daemon.sh(from, &format!("nslookup -type=a {name}")).shown()
}

#[test]
fn the_way_out_is_translated() {
    let Some(daemon) = Daemon::ready() else { return };
    let outside = Netns::new();
    daemon.netns().join(&outside, "192.0.2.1/24", "192.0.2.2/24");
    whoami(&outside, "192.0.2.2:80");
    daemon.busybox("x");
    daemon.address("x");
    // There is no way back to the instance's own address, so only a translated one gets an answer.
    let ask = "timeout 5 wget -q -O - http://192.0.2.2/";
    assert_eq!(daemon.sh("x", ask).text(), "you are 192.0.2.1");
    daemon.lxc(["network", "set", "mcbr0", "ipv4.nat", "false"]).ok();
    assert_ne!(daemon.sh("x", &ask.replace("timeout 5", "timeout 1")).status, 0);
    daemon.lxc(["network", "set", "mcbr0", "ipv4.nat", "true"]).ok();
    assert_eq!(daemon.sh("x", ask).text(), "you are 192.0.2.1");
}

#[test]
fn instances_know_one_another_by_name() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("a");
    daemon.busybox("b");
    daemon.address("a");
    let b = daemon.address("b").to_string();
    for name in ["b", "b.lxd"] {
        until("the name is known", || looked_up(&daemon, "a", name).contains(&b).then_some(()));
    }
    daemon.sh("a", "ping -c 1 -W 2 b").ok();
    daemon.cli(["network", "set", "mcbr0", "dns.domain=lan"]).ok();
    until("the domain changes at once", || {
        looked_up(&daemon, "a", "b.lan").contains(&b).then_some(())
    });
    daemon.cli(["delete", "b", "--force"]).ok();
    until("a name that is gone is not found", || {
        (!looked_up(&daemon, "a", "b.lan").contains(&b)).then_some(())
    });
    let ours = lab::host(&["cat", "/etc/resolv.conf"]).shown();
    let inside = daemon.sh("a", "cat /etc/resolv.conf").text();
    assert!(inside.contains(&gateway(&daemon)), "{inside} (the host's: {ours})");
}

#[test]
fn addresses_leases_and_macs_stay() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x");
    let mac = daemon.sh("x", "cat /sys/class/net/eth0/address").text();
    assert!(mac.starts_with("00:16:3e:"), "{mac}");
    assert_eq!(daemon.cli(["config", "get", "x", "volatile.eth0.hwaddr"]).text(), mac);
    let lease = format!("{address}");
    daemon.restart();
    let leases = daemon.cli(["network", "list-leases", "mcbr0", "--format", "csv"]).text();
    let line = leases.lines().find(|line| line.contains(&lease)).unwrap_or_default().to_owned();
    assert!(line.contains(&mac) && line.starts_with("x,"), "{leases}");
    daemon.kill9();
    daemon.launch();
    let renewed = daemon.sh("x", "udhcpc -i eth0 -n -q -s /etc/udhcpc.script 2>&1").text();
    assert!(renewed.contains(&lease), "the same address is leased again: {renewed}");
    daemon.cli(["restart", "x", "--force"]).ok();
    assert_eq!(daemon.address("x"), address);
    assert_eq!(daemon.sh("x", "cat /sys/class/net/eth0/address").text(), mac);
}

#[test]
fn the_hosts_links_are_named_as_the_server_is_told() {
    let Some(daemon) = Daemon::ready() else { return };
    let link = || daemon.cli(["config", "get", "x", "volatile.eth0.host_name"]).text();
    let is_there = |name: &str| daemon.netns().run(&["ip", "link", "show", name]).status == 0;
    daemon.busybox("x");
    let random = link();
    assert!(random.starts_with("veth") && is_there(&random), "{random}");
    daemon.cli(["config", "set", "instances.nic.host_name", "short"]).fails_with("random");
    daemon.lxc(["config", "set", "instances.nic.host_name", "mac"]).ok();
    // It runs with the name it has, and is found by it.
    daemon.lxc(["config", "device", "override", "x", "eth0", "security.mac_filtering=true"]).ok();
    assert_eq!(link(), random);
    daemon.lxc(["restart", "x", "--force"]).ok();
    let mac = daemon.cli(["config", "get", "x", "volatile.eth0.hwaddr"]).text().replace(':', "");
    assert_eq!(link(), format!("lxd{}", &mac[2..]));
    assert!(is_there(&link()) && !is_there(&random));
    daemon.address("x");
    daemon.lxc(["stop", "x", "--force"]).ok();
    assert!(!is_there(&link()));
    let rules = daemon.netns().run(&["nft", "list", "ruleset"]).shown();
    assert!(!rules.contains(&link()), "{rules}");
}

#[test]
fn a_fixed_address() {
    let Some(daemon) = Daemon::ready() else { return };
    let gateway = gateway(&daemon);
    let prefix = gateway.rsplit_once('.').map(|(prefix, _)| prefix).unwrap_or_default();
    let wanted = format!("{prefix}.250");
    let option = format!("ipv4.address={wanted}");
    daemon.cli(["create", "local:busybox", "x"]).ok();
    daemon.lxc(["config", "device", "override", "x", "eth0", &option]).ok();
    daemon.cli(["start", "x"]).ok();
    assert_eq!(daemon.address("x").to_string(), wanted);
    let leases = daemon.lxc(["network", "list-leases", "mcbr0"]).text();
    let line = leases.lines().find(|line| line.contains(&wanted)).unwrap_or_default();
    assert!(line.contains("STATIC"), "{leases}");
    daemon.cli(["create", "local:busybox", "y"]).ok();
    let outside = "ipv4.address=198.51.100.7";
    daemon.lxc(["config", "device", "override", "y", "eth0", outside]).fails_with("198.51.100.7");
}

#[test]
fn ipv6_by_router_advertisements() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("a");
    daemon.busybox("b");
    let address = until("an IPv6 address", || {
        daemon.addresses("b", "inet6").into_iter().find(|address| address.starts_with("fd"))
    });
    until("the neighbour has one too", || daemon.addresses("a", "inet6").pop());
    until("they reach one another", || {
        (daemon.sh("a", &format!("ping -6 -c 1 -W 1 {address}")).status == 0).then_some(())
    });
}

#[test]
fn a_network_is_repaired_at_the_next_start() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.address("x");
    let gateway = gateway(&daemon);
    daemon.kill9();
    daemon.netns().run(&["nft", "flush", "ruleset"]).ok();
    daemon.netns().run(&["ip", "addr", "flush", "dev", "mcbr0"]).ok();
    daemon.launch();
    let rules = daemon.netns().run(&["nft", "list", "ruleset"]).text();
    assert!(rules.contains("masquerade"), "{rules}");
    daemon.sh("x", &format!("ping -c 1 -W 2 {gateway}")).ok();
}

#[test]
fn a_network_of_ones_own() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon
        .cli(["network", "create", "lab1", "ipv4.address=10.77.1.1/24", "ipv6.address=none"])
        .ok();
    daemon.cli(["network", "set", "lab1", "ipv4.dhcp.ranges=10.77.1.100-10.77.1.101"]).ok();
    daemon.cli(["launch", "local:busybox", "x", "--network", "lab1"]).ok();
    let address = daemon.address("x").to_string();
    assert!(address == "10.77.1.100" || address == "10.77.1.101", "{address}");
    assert_eq!(daemon.addresses("x", "inet6"), Vec::<String>::new());
    let state = daemon.state("x");
    assert_eq!(state["network"]["eth0"]["state"], "up", "{state}");
    daemon.cli(["network", "delete", "lab1"]).fails_with("in use");
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.cli(["network", "delete", "lab1"]).ok();
    assert!(!daemon.netns().links().contains(&String::from("lab1")));
}

#[test]
fn a_filtered_card_sends_from_its_own_address_only() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("peer");
    let peer = daemon.address("peer");
    let free = format!("ip link set eth0 address 00:16:3e:99:99:99; ping -c 2 -W 1 {peer}");
    daemon.cli(["create", "local:busybox", "bound"]).ok();
    let option = "security.mac_filtering=true";
    daemon.lxc(["config", "device", "override", "bound", "eth0", option]).ok();
    daemon.cli(["start", "bound"]).ok();
    daemon.address("bound");
    daemon.sh("bound", &format!("ping -c 1 -W 2 {peer}")).ok();
    assert_ne!(daemon.sh("bound", &free).status, 0, "another's address is let through");
    daemon.busybox("loose");
    daemon.address("loose");
    daemon.sh("loose", &free).ok();
    let tables = || daemon.netns().run(&["nft", "list", "tables", "bridge"]).text();
    assert_ne!(tables(), "");
    daemon.cli(["stop", "bound", "--force"]).ok();
    assert_eq!(tables(), "", "a stopped instance has no filter");
}

#[test]
fn a_filter_of_ip_addresses_needs_one() {
    let Some(daemon) = Daemon::ready() else { return };
    let gateway = gateway(&daemon);
    let prefix = gateway.rsplit_once('.').map(|(prefix, _)| prefix).unwrap_or_default();
    daemon.cli(["create", "local:busybox", "x"]).ok();
    let filter = "security.ipv4_filtering=true";
    let add = ["config", "device", "override", "x", "eth0", filter];
    daemon.lxc(add).fails_with("ipv4.address");
    let address = format!("ipv4.address={prefix}.77");
    daemon.run(Client::Lxc, &[&add[..], &[&address]].concat()).ok();
    daemon.cli(["start", "x"]).ok();
    assert_eq!(daemon.address("x").to_string(), format!("{prefix}.77"));
    daemon.sh("x", &format!("ping -c 1 -W 2 {gateway}")).ok();
    let steal = format!(
        "ip addr flush dev eth0; ip addr add {prefix}.78/24 dev eth0; ping -c 2 -W 1 {gateway}"
    );
    assert_ne!(daemon.sh("x", &steal).status, 0, "another's address is let through");
}

#[test]
fn a_bridge_that_was_made_anew_gets_its_ports_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.address("x");
    let gateway = gateway(&daemon);
    daemon.kill9();
    daemon.netns().run(&["ip", "link", "delete", "mcbr0"]).ok();
    daemon.launch();
    until("the port is back on the bridge", || {
        (daemon.sh("x", &format!("ping -c 1 -W 1 {gateway}")).status == 0).then_some(())
    });
}

#[test]
fn a_network_gets_another_name_while_nothing_uses_it() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon
        .lxc(["network", "create", "one0", "ipv4.address=10.77.0.1/24", "ipv6.address=none"])
        .ok();
    let addresses = |link: &str| {
        let shown = daemon.netns().run(&["ip", "-o", "-4", "address", "show", "dev", link]);
        shown.shown()
    };
    daemon.lxc(["network", "rename", "one0", "mcbr0"]).fails_with("mcbr0");
    daemon.lxc(["network", "rename", "one0", "../x"]).fails_with("network name");
    daemon.lxc(["network", "rename", "mcbr0", "two0"]).fails_with("use");
    daemon.lxc(["network", "rename", "one0", "two0"]).ok();
    assert!(addresses("two0").contains("10.77.0.1/24"), "{}", addresses("two0"));
    assert!(!addresses("one0").contains("10.77"), "{}", addresses("one0"));
    daemon.lxc(["launch", "busybox", "web", "-n", "two0"]).ok();
    assert!(daemon.address("web").to_string().starts_with("10.77.0."));
    daemon.cli(["delete", "web", "--force"]).ok();
    daemon.cli(["network", "rename", "two0", "one0"]).ok();
    assert!(addresses("one0").contains("10.77.0.1/24"), "{}", addresses("one0"));
}
