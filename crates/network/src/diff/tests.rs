use super::*;
use crate::{
    Facts, Kind, LinkFact, NetworkSpec,
    bridge::{Address, BridgeSpec, Ipv4Spec},
    driver,
    facts::RouteFact,
    firewall::OwnTable,
};

fn desired() -> Desired {
    let v4 = Ipv4Spec {
        address: Address::Fixed("10.5.7.1/24".parse().unwrap()),
        routes: vec!["10.99.0.0/24".parse().unwrap()],
        ..Ipv4Spec::default()
    };
    let bridge = BridgeSpec {
        ipv4: Some(v4),
        external_interfaces: vec!["eth1".into()],
        ..BridgeSpec::default()
    };
    let spec = NetworkSpec {
        name: "br0".into(),
        link: "br0".into(),
        kind: Kind::Bridge(bridge),
        state_dir: "/s".into(),
    };
    let eth1 = LinkFact { index: 3, name: "eth1".into(), ..LinkFact::default() };
    let facts = Facts { links: vec![eth1], ipv6: true, ..Facts::default() };
    driver(&spec.kind).plan("a1", &spec, &facts).unwrap()
}

/// A machine on which all is as it should be.
fn perfect(want: &Desired) -> (Facts, std::collections::BTreeMap<String, String>) {
    let bridge = LinkFact {
        index: 7,
        name: "br0".into(),
        kind: "bridge".into(),
        hwaddr: Some(want.link.hwaddr),
        mtu: want.link.mtu,
        up: true,
        alias: want.link.alias.clone(),
        addresses: want.addresses.clone(),
        master: None,
    };
    let port = LinkFact { index: 3, name: "eth1".into(), master: Some(7), ..LinkFact::default() };
    let route = RouteFact { net: want.routes[0], link: Some(7), fixed: true };
    let mut facts = Facts { links: vec![bridge, port], routes: vec![route], ..Facts::default() };
    facts.firewall.tables = vec![OwnTable {
        name: want.table.name.clone(),
        marker: Some(want.table.marker.clone()),
        rules: want.table.rules,
    }];
    let sysctls = want.sysctls.iter().map(|s| (s.path.clone(), s.value.clone())).collect();
    (facts, sysctls)
}

fn steps(want: &Desired, change: impl FnOnce(&mut Facts)) -> Result<Vec<Change>> {
    let (mut facts, sysctls) = perfect(want);
    change(&mut facts);
    diff(want, &Observed::of(want, &facts, sysctls))
}

#[test]
fn nothing_amiss_nothing_done() {
    assert_eq!(steps(&desired(), |_| ()).unwrap(), []);
}

#[test]
fn from_nothing_the_link_comes_first_and_is_up_before_its_addresses() {
    let want = desired();
    let changes = diff(&want, &Observed::default()).unwrap();
    let at = |wanted: fn(&Change) -> bool| changes.iter().position(wanted).unwrap();
    let order = [
        at(|c| matches!(c, Change::CreateLink(_))),
        at(|c| matches!(c, Change::Sysctl(_))),
        at(|c| matches!(c, Change::SetLink(_))),
        at(|c| matches!(c, Change::AddAddress(_))),
        at(|c| matches!(c, Change::AddPort(_))),
        at(|c| matches!(c, Change::AddRoute(_))),
        at(|c| matches!(c, Change::Table)),
    ];
    assert!(order.is_sorted(), "{changes:?}");
}

#[test]
fn each_thing_amiss_is_one_step() {
    let want = desired();
    let set = Change::SetLink(want.link.clone());
    assert_eq!(steps(&want, |f| f.links[0].up = false).unwrap(), std::slice::from_ref(&set));
    assert_eq!(steps(&want, |f| f.links[0].mtu = 1400).unwrap(), std::slice::from_ref(&set));
    assert_eq!(steps(&want, |f| f.links[0].alias.clear()).unwrap(), [set], "half made");
    assert_eq!(
        steps(&want, |f| f.links[1].master = None).unwrap(),
        [Change::AddPort("eth1".into())]
    );
    assert_eq!(steps(&want, |f| f.routes.clear()).unwrap(), [Change::AddRoute(want.routes[0])]);
    assert_eq!(steps(&want, |f| f.firewall.tables[0].rules -= 1).unwrap(), [Change::Table]);
    assert_eq!(steps(&want, |f| f.firewall.tables[0].marker = None).unwrap(), [Change::Table]);
}

#[test]
fn another_address_is_replaced() {
    let want = desired();
    let old: IpNet = "10.1.1.1/24".parse().unwrap();
    let changes = steps(&want, |facts| facts.links[0].addresses = vec![old]).unwrap();
    assert_eq!(changes, [Change::RemoveAddress(old), Change::AddAddress(want.addresses[0])]);
}

#[test]
fn others_links_are_refused() {
    let want = desired();
    let refused = |change: fn(&mut LinkFact)| {
        let error = steps(&want, |facts| change(&mut facts.links[0])).unwrap_err();
        matches!(error, Error::Taken { .. })
    };
    assert!(refused(|link| link.kind = "dummy".into()));
    assert!(refused(|link| link.kind.clear()));
    assert!(refused(|link| link.alias = "microcloud b2 br0".into()));
    assert!(refused(|link| {
        link.alias.clear();
        link.hwaddr = None;
    }));
}

#[test]
fn docker_coming_and_going() {
    let mut want = desired();
    want.docker = vec![Family::Ip];
    let added = Change::Docker { family: Family::Ip, old: vec![], wanted: true };
    assert_eq!(steps(&want, |_| ()).unwrap(), [added]);
    let comment = want.table.name.clone();
    let rule = |handle| ForeignRule { family: Family::Ip, handle, comment: comment.clone() };
    let both = vec![rule(4), rule(5)];
    assert_eq!(steps(&want, |facts| facts.firewall.foreign = both.clone()).unwrap(), []);
    want.docker.clear();
    let gone = Change::Docker { family: Family::Ip, old: both.clone(), wanted: false };
    assert_eq!(steps(&want, |facts| facts.firewall.foreign = both.clone()).unwrap(), [gone]);
}
