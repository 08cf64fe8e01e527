use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Dhcp6, Ipv6, dhcp4::tests::config};

fn config6(dhcp: Option<Dhcp6>) -> ServiceConfig {
    let address = "fd42:1:2:3::1/64".parse().unwrap();
    ServiceConfig { ipv6: Some(Ipv6 { address, routing: true, dhcp }), ..config() }
}

#[test]
fn the_advertisement_byte_by_byte() {
    let bytes = advertisement(&config6(None)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let want = [
        "86000000", /* type */
        "40002328", /* hops 64, no flags, 9000 s */
        "0000000000000000",
        "030440c0",         /* /64, on link, autonomous */
        "0001518000003840", /* one day, four hours */
        "00000000",
        "fd420001000200030000000000000000",
        "05010000000005dc", /* MTU 1500 */
        "010100163eff0001", /* hardware address */
        "1903000000002328",
        "fd420001000200030000000000000001", /* resolver */
        "1f02000000002328",
        "036c786400000000", /* search lxd */
    ];
    assert_eq!(hex(&bytes), want.concat());
}

#[test]
fn stateful_networks_are_managed_and_not_autonomous() {
    let dhcp = Dhcp6 { stateful: true, ranges: Vec::new(), expiry: Duration::from_secs(60) };
    let bytes = advertisement(&config6(Some(dhcp.clone()))).unwrap();
    assert_eq!((bytes[5], bytes[19]), (0xc0, 0x80));
    let bytes = advertisement(&config6(Some(Dhcp6 { stateful: false, ..dhcp }))).unwrap();
    assert_eq!((bytes[5], bytes[19]), (0x40, 0xc0));
    assert_eq!(advertisement(&config()), None);
}

#[test]
fn a_farewell_ends_router_and_prefix() {
    let bytes = farewell(&config6(None)).unwrap();
    assert_eq!(bytes[6..8], [0, 0], "router lifetime");
    assert_eq!(bytes[24..28], [0; 4], "preferred lifetime");
}

#[test]
fn solicitations_count_from_the_link_only() {
    let near = "fe80::216:3eff:fe00:1".parse().unwrap();
    let mac = MacAddr([0, 0x16, 0x3e, 0, 0, 1]);
    let plain = [133, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(parse(near, &plain), Some(Heard::Solicitation(Some(mac))));
    assert_eq!(parse("fd42::1".parse().unwrap(), &plain), None);
    let told = [&plain[..], &[1, 1, 2, 2, 2, 2, 2, 2]].concat();
    assert_eq!(parse(near, &told), Some(Heard::Solicitation(Some(MacAddr([2; 6])))));
    let endless = [&plain[..], &[1, 0, 2, 2, 2, 2, 2, 2]].concat();
    assert_eq!(parse(near, &endless), None, "an option without length");
}

#[test]
fn three_soon_then_at_leisure_and_never_too_often() {
    let s = Duration::from_secs;
    let mut schedule = Schedule::new(s(0));
    schedule.sent(s(0), 0.5);
    assert_eq!(schedule.next(), s(16));
    schedule.solicited(s(1));
    assert_eq!(schedule.next(), s(3), "three seconds apart");
    schedule.sent(s(3), 0.5);
    schedule.sent(s(19), 0.5);
    assert_eq!(schedule.next(), s(419));
    schedule.solicited(s(100));
    assert_eq!(schedule.next(), s(100));
}

proptest! {
    #[test]
    fn hostile_messages_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        parse(Ipv6Addr::UNSPECIFIED, &bytes);
        let mut solicitation = vec![133, 0, 0, 0, 0, 0, 0, 0];
        solicitation.extend(bytes);
        parse(Ipv6Addr::UNSPECIFIED, &solicitation);
    }
}
