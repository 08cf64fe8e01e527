use super::*;

fn filter(ipv4: Option<&[&str]>, ipv6: Option<&[&str]>) -> PortFilter {
    PortFilter {
        host_name: "veth1".into(),
        hwaddr: "00:16:3e:00:00:01".parse().unwrap(),
        ipv4: ipv4.map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect()),
        ipv6: ipv6.map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect()),
    }
}

#[test]
fn every_rule_is_about_this_port_only() {
    let document = document("t", &filter(Some(&["10.0.0.5/32"]), Some(&["fd42::5/128"])));
    let rules: Vec<&Value> = document["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|c| c["add"].get("rule"))
        .collect();
    assert_eq!(rules.len(), 11);
    for rule in rules {
        assert_eq!(rule["expr"][0]["match"]["right"], "veth1", "{rule}");
    }
}

#[test]
fn tables_of_two_ports_and_two_daemons_differ() {
    let names = [table("a", "v-1"), table("a", "v_1"), table("b", "v-1"), table("a", "v.1")];
    let mut unique = names.to_vec();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
}
