//! What each type of values takes, and that none panics.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{TimeZone, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::{any, prop_oneof};
use proptest::strategy::Strategy;

use super::*;

/// Each good text parses and shows as expected; no bad one parses.
fn takes<T: Value>(good: &[(&str, &str)], bad: &[&str]) {
    for (text, shown) in good {
        let value = T::parse(text).unwrap_or_else(|allowed| panic!("{text:?}: {allowed}"));
        assert_eq!(value.to_string(), *shown, "{text:?}");
    }
    for text in bad {
        let allowed = T::parse(text).err().unwrap_or_else(|| panic!("{text:?} was taken"));
        assert!(!allowed.is_empty());
    }
}

#[test]
fn booleans() {
    takes::<bool>(
        &[("true", "true"), ("1", "true"), ("yes", "true"), ("on", "true"), ("True", "true")],
        &["", "y", "2", "truee"],
    );
    takes::<bool>(&[("false", "false"), ("0", "false"), ("NO", "false"), ("off", "false")], &[]);
}

#[test]
fn integers() {
    takes::<u8>(&[("255", "255")], &["256", "-1", "+1", "1.5", "", " 1"]);
    takes::<i32>(&[("-5", "-5")], &["--5", "x"]);
    takes::<Weight>(&[("0", "0"), ("10", "10")], &["11", "-1", "+1"]);
    assert_eq!(Weight::parse("11").unwrap_err(), "a whole number from 0 to 10");
}

#[test]
fn sizes() {
    let gib = 1 << 30;
    for (text, bytes) in [
        ("10GiB", 10 * gib),
        ("10GB", 10_000_000_000),
        ("512MiB", gib / 2),
        ("7", 7),
        ("7B", 7),
        ("7 bytes", 7),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("0", 0),
    ] {
        assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
    }
    let shown = [("1024MiB", "1GiB"), ("10GB", "9765625KiB"), ("1001", "1001B"), ("0", "0B")];
    takes::<Size>(&shown, &["", "GiB", "1.5GiB", "-1", "10G", "1 0MB", "20EiB", "+1", "50%"]);
}

#[test]
fn memory() {
    takes::<MemoryLimit>(&[("50%", "50%"), ("1GiB", "1GiB")], &["0", "0%", "101%", "%", "x"]);
    assert_eq!(MemoryLimit::Percent(50).bytes(1000), 500);
    assert_eq!(MemoryLimit::Percent(100).bytes(u64::MAX), u64::MAX - 15);
}

#[test]
fn bit_rates() {
    takes::<BitRate>(
        &[("100Mbit", "100Mbit"), ("1000kbit", "1Mbit"), ("1Kibit", "1024bit"), ("5", "5bit")],
        &["10MB", "1.5Mbit", "bit", ""],
    );
}

#[test]
fn cpus() {
    takes::<CpuLimit>(
        &[("2", "2"), ("0-3", "0-3"), ("5,0-2,1", "0-2,5"), ("3-3", "3-3"), ("0,1", "0-1")],
        &["0", "-1", "3-1", "a", "0-", "1,,2", "0-99999", "1.5", ""],
    );
    assert_eq!(CpuLimit::parse("0-2,7").unwrap().count(), 4);
}

#[test]
fn cpu_allowances() {
    takes::<CpuAllowance>(
        &[("50%", "50%"), ("25ms/100ms", "25ms/100ms"), ("200%", "200%")],
        &["0%", "50", "25/100", "0ms/100ms", "25ms/0ms", "25ms", "x%"],
    );
}

#[test]
fn expiries() {
    takes::<Expiry>(
        &[("30d", "30d"), ("1H 2M", "1H 2M"), ("1M 2H 3d 4w 5m 6y", "6y 5m 4w 3d 2H 1M")],
        &["", "30", "d", "30x", "1d2H", "-1d", "0d", "1é"],
    );
    let now = Utc.with_ymd_and_hms(2024, 1, 31, 12, 0, 0).unwrap();
    let after = |text| Expiry::parse(text).unwrap().after(now);
    // A month after the last of January is the last of February.
    assert_eq!(after("1m"), Some(Utc.with_ymd_and_hms(2024, 2, 29, 12, 0, 0).unwrap()));
    assert_eq!(after("1d 2H 3M"), Some(Utc.with_ymd_and_hms(2024, 2, 1, 14, 3, 0).unwrap()));
    assert_eq!(after("4294967295y"), None);
}

#[test]
fn retentions() {
    takes::<Retention>(
        &[("last=3", "last=3"), ("weekly=4,daily=7", "daily=7, weekly=4")],
        &["", "3", "daily", "daily=", "daily=0", "daily=-1", "daily=1,daily=2", "often=3"],
    );
    let at = |day, hour, minute| {
        chrono::NaiveDate::from_ymd_opt(2024, 1, day)
            .and_then(|day| day.and_hms_opt(hour, minute, 0))
            .unwrap()
    };
    // 2024 begins on a Monday.
    let moments =
        [at(1, 12, 0), at(6, 12, 0), at(7, 11, 0), at(8, 9, 0), at(8, 10, 0), at(8, 10, 30)];
    let kept = |rules| {
        let rules = Retention::parse(rules).unwrap();
        rules.kept(&moments).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(kept("last=1"), [5]);
    assert_eq!(kept("last=2, hourly=2"), [3, 4, 5]);
    assert_eq!(kept("daily=2"), [2, 5]);
    assert_eq!(kept("weekly=9"), [2, 5]);
    assert_eq!(kept("daily=3, monthly=12, yearly=2"), [1, 2, 5]);
    assert_eq!(kept("daily=100"), [0, 1, 2, 5]);
}

#[test]
fn lease_times() {
    takes::<LeaseTime>(
        &[("1h", "1h"), ("3600", "1h"), ("45m", "45m"), ("130", "130s"), ("infinite", "infinite")],
        &["1", "119", "1H", "x", "never", "4294967295"],
    );
}

#[test]
fn schedules() {
    let same = |text| (text, text);
    takes::<Cron>(
        &[
            same("0 6 * * *"),
            same("*/15 0-6,22 1 jan-mar MON-FRI"),
            same("@daily"),
            same("@hourly, @startup"),
        ],
        &[
            "",
            "* * * *",
            "60 * * * *",
            "* * 0 * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@sometimes",
            "@",
        ],
    );
    let words: Vec<String> =
        Cron::parse("@hourly, @startup").unwrap().schedules().map(str::to_owned).collect();
    assert_eq!(words, ["@hourly", "@startup"]);
    assert_eq!(Cron::parse("0,30 6 * * *").unwrap().schedules().count(), 1);
}

#[test]
fn addresses() {
    takes::<Setting<Ipv4Net>>(
        &[("auto", "auto"), ("none", "none"), ("10.0.0.1/24", "10.0.0.1/24")],
        &["10.0.0.1", "10.0.0.1/33", "fd42::1/64", "Auto"],
    );
    takes::<OrNone<Ipv6Addr>>(&[("none", "none"), ("fd42::1", "fd42::1")], &["auto", "10.0.0.1"]);
    takes::<Ipv4Range>(
        &[("10.0.0.2-10.0.0.9", "10.0.0.2-10.0.0.9")],
        &["10.0.0.9-10.0.0.2", "10.0.0.2", "10.0.0.2-", "fd42::1-fd42::2"],
    );
    takes::<List<Ipv4Range>>(
        &[("10.0.0.2-10.0.0.3, 10.0.0.5-10.0.0.5", "10.0.0.2-10.0.0.3,10.0.0.5-10.0.0.5")],
        &["10.0.0.2-10.0.0.3;10.0.0.5-10.0.0.5"],
    );
    takes::<Mac>(
        &[("00:16:3E:aa:0b:01", "00:16:3e:aa:0b:01")],
        &["00:16:3e:aa:0b", "01:16:3e:aa:0b:01", "00-16-3e-aa-0b-01", "+0:16:3e:aa:0b:01"],
    );
}

#[test]
fn listen_addresses() {
    let same = |text| (text, text);
    takes::<ListenAddress>(
        &[
            same(":8443"),
            same("10.0.0.1"),
            same("10.0.0.1:8443"),
            same("[::]:8443"),
            ("::1", "[::1]"),
            same("pi1.lan:9443"),
        ],
        &["", ":", ":0", ":99999", "[::1", "[10.0.0.1]:1", "a b:1", "host:port", "a:1:2"],
    );
}

#[test]
fn names_and_paths() {
    takes::<InterfaceName>(
        &[("br-lan.5", "br-lan.5")],
        &["", "a b", "a/b", "sixteen-letters-", "."],
    );
    takes::<Domain>(&[("lxd", "lxd"), ("a.b.c", "a.b.c")], &["", ".", "a..b", "-a", "a b", "a."]);
    takes::<AbsolutePath>(
        &[("/", "/"), ("/a/b", "/a/b"), ("//a/./b/", "/a/b")],
        &["a", "", "/a/../b", "/a\0"],
    );
    takes::<Url>(&[("http://p:3128", "http://p:3128")], &["p:3128", "http://", "http://a b"]);
}

#[test]
fn ids() {
    takes::<IdmapEntry>(
        &[("both 1000 1000", "both 1000 1000"), ("uid  5-9 105-109", "uid 5-9 105-109")],
        &["1000 1000", "both 1000", "both 1-2 1-3", "all 1 1", "both 4294967295 1", "both 2-1 1-2"],
    );
    takes::<Lines<IdmapEntry>>(&[("uid 1 1\n\ngid 2 2\n", "uid 1 1\ngid 2 2")], &["uid 1 1\nx"]);
    takes::<KernelLimit>(
        &[("5", "5:5"), ("unlimited", "unlimited:unlimited"), ("1:2", "1:2")],
        &["", "2:1", "unlimited:5", "x", "1:2:3"],
    );
}

#[test]
fn the_rest() {
    takes::<Compression>(
        &[("none", "none"), ("zstd -3", "zstd -3")],
        &["zip", "gzip 3", "gzip -0"],
    );
    takes::<UplinkSubnet>(
        &[("up:10.0.0.0/24", "up:10.0.0.0/24")],
        &["10.0.0.0/24", ":10.0.0.0/24"],
    );
    takes::<String>(&[("any thing", "any thing")], &["a\0"]);
}

/// Whatever the text, parsing ends; and what a value shows as parses to the same value.
fn round<T: Value + PartialEq + Debug>(text: &str) {
    if let Ok(value) = T::parse(text) {
        let shown = value.to_string();
        if !shown.is_empty() {
            assert_eq!(T::parse(&shown).as_ref(), Ok(&value), "{text:?} -> {shown:?}");
        }
    }
}

fn round_all(text: &str) {
    round::<bool>(text);
    round::<u64>(text);
    round::<i64>(text);
    round::<Weight>(text);
    round::<String>(text);
    round::<Size>(text);
    round::<MemoryLimit>(text);
    round::<BitRate>(text);
    round::<CpuLimit>(text);
    round::<CpuSet>(text);
    round::<CpuAllowance>(text);
    round::<Expiry>(text);
    round::<Retention>(text);
    round::<LeaseTime>(text);
    round::<Cron>(text);
    round::<IpAddr>(text);
    round::<Setting<Ipv4Net>>(text);
    round::<Setting<Ipv6Net>>(text);
    round::<OrNone<Ipv4Addr>>(text);
    round::<List<IpNet>>(text);
    round::<List<Ipv4Range>>(text);
    round::<List<Ipv6Range>>(text);
    round::<Mac>(text);
    round::<ListenAddress>(text);
    round::<Url>(text);
    round::<Domain>(text);
    round::<InterfaceName>(text);
    round::<AbsolutePath>(text);
    round::<KernelLimit>(text);
    round::<IdRange>(text);
    round::<Lines<IdmapEntry>>(text);
    round::<Compression>(text);
    round::<UplinkSubnet>(text);
}

/// Texts that are nearly right, so that the parsers get past their first step.
fn nearly() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9]{1,20}(B|kB|MB|GiB|EiB|%|Mbit|ms|h|d|y)?",
        "[0-9]{1,4}-[0-9]{1,5}(,[0-9]{1,4}(-[0-9]{1,4})?){0,3}",
        "([0-9]{1,11}[SMHdwmy] ?){1,7}",
        "[0-9]{1,5}ms/[0-9]{1,9}ms",
        "[0-9.]{1,15}(/[0-9]{1,2}|-[0-9.]{1,15}|:[0-9]{1,5})?",
        "\\[?[0-9a-f:]{1,20}\\]?(/[0-9]{1,3}|:[0-9]{1,5}|-[0-9a-f:]{1,20})?",
        "(uid|gid|both) [0-9]{1,10}(-[0-9]{1,10})? [0-9]{1,10}",
        "([0-9*/,-]{1,5} ){4}[0-9A-Z*-]{1,5}",
        "(unlimited|[0-9]{1,20}):(unlimited|[0-9]{1,20})",
    ]
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics_and_showing_is_its_inverse(text in nearly()) {
        round_all(&text);
    }

    #[test]
    fn tables_never_panic(key in ".{0,30}", value in nearly(), volatile in "[a-z.]{0,20}") {
        use crate::{Options, Raw, device::Device, instance::InstanceOptions, network::BridgeOptions};
        let raw = Raw::from([(key, value.clone()), (format!("volatile.{volatile}"), value)]);
        let _ = InstanceOptions::parse(&raw);
        let _ = BridgeOptions::parse(&raw);
        let _ = Device::parse(&raw.merged(&Raw::from([("type", "nic")])));
    }
}
