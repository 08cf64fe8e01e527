//! Options: the first byte says of what, each line after it has a byte that says which key, and a value.

use options::{Options, Raw, Table, Value};

/// What can be parsed: the keys it has, and how.
struct Entity {
    table: fn() -> Table,
    parse: fn(&Raw),
}

macro_rules! entities {
    ($($type:ty),* $(,)?) => {
        &[ $( Entity { table: || <$type>::TABLE, parse: parse::<$type> } ),* ]
    };
}

const ENTITIES: &[Entity] = entities![
    options::InstanceOptions,
    options::device::Disk,
    options::device::Gpu,
    options::device::NicBridged,
    options::device::NicP2p,
    options::device::Pci,
    options::device::Proxy,
    options::device::Tpm,
    options::device::UnixBlock,
    options::device::UnixChar,
    options::device::UnixHotplug,
    options::device::Usb,
    options::BridgeOptions,
    options::LvmPoolOptions,
    options::LvmVolumeOptions,
    options::BucketOptions,
    options::BtrfsPoolOptions,
    options::DirPoolOptions,
    options::VolumeOptions,
    options::ZfsPoolOptions,
    options::ZfsVolumeOptions,
    options::ProjectOptions,
    options::ServerOptions,
];

macro_rules! values {
    ($($type:ident),* $(,)?) => { &[ $( value::<options::$type> ),* ] };
}

const VALUES: &[fn(&str)] = values![
    AbsolutePath,
    BitRate,
    Compression,
    CpuAllowance,
    CpuLimit,
    Cron,
    DeviceId,
    DiskRate,
    Domain,
    Expiry,
    FileMode,
    IdRange,
    IdmapEntry,
    InterfaceName,
    Ipv4Range,
    Ipv6Range,
    KernelLimit,
    LeaseTime,
    ListenAddress,
    Mac,
    MemoryLimit,
    ModuleName,
    PciAddress,
    ProxyAddress,
    Retention,
    SeccompProfile,
    Size,
    SnapshotPattern,
    UplinkSubnet,
    Url,
    Vlan,
    Vlans,
    Arguments,
];

/// Parses it.
pub fn look(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (text, which) = (String::from_utf8_lossy(rest), usize::from(*first));
    if let Some(entity) = ENTITIES.get(which) {
        return (entity.parse)(&raw(entity, &text));
    }
    VALUES[which % VALUES.len()](&text);
}

fn raw(entity: &Entity, text: &str) -> Raw {
    let keys = keys(entity);
    let mut raw = Raw::new();
    for line in text.split('\n') {
        let mut chars = line.chars();
        let Some(first) = chars.next() else { continue };
        // Some have no options.
        let place = (first as usize).saturating_sub(BEFORE).checked_rem(keys.len());
        let Some(key) = place.and_then(|place| keys.get(place)) else { continue };
        // A value may have several lines.
        raw.set(key.clone(), chars.as_str().replace('\r', "\n"));
    }
    raw
}

/// The first key's character; the next ones follow.
const BEFORE: usize = 32;

fn keys(entity: &Entity) -> Vec<String> {
    let all = (entity.table)().all().into_iter();
    let own = all.map(|(prefix, opt)| match opt.family {
        Some(family) => format!("{prefix}{}", family.key("a")),
        None => format!("{prefix}{}", opt.key),
    });
    own.collect()
}

fn parse<O: Options>(raw: &Raw) {
    match O::parse(raw) {
        Ok(_) => assert!(O::parse_known(raw).is_ok(), "it is known, and was right before"),
        Err(problems) => assert!(!problems.to_string().is_empty(), "nobody says why"),
    }
}

/// Its text gives the same value.
fn value<V: Value>(text: &str) {
    let Ok(value) = V::parse(text) else { return };
    let text = value.to_string();
    let again = V::parse(&text).unwrap_or_else(|why| panic!("{text:?} was written: {why}"));
    assert_eq!(again.to_string(), text);
}

/// All keys of each entity with their defaults, and a value of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let of_entities = ENTITIES.iter().enumerate().map(|(number, entity)| {
        let mut seed = vec![number as u8];
        for (at, (_, opt)) in (entity.table)().all().into_iter().enumerate() {
            let key = char::from_u32((BEFORE + at) as u32).unwrap_or('?');
            let value = opt.default.or(opt.initial).unwrap_or("1");
            seed.extend(format!("{key}{value}\n").bytes());
        }
        seed
    });
    let samples = [
        "0-3,5",
        "10GiB",
        "50%",
        "10ms/100ms",
        "1M 2H 3d 4w 5m 6y",
        "*/5 1-3 * JAN-MAR MON,TUE",
        "@daily, @startup",
        "snap-%Y{{ creation_date|date:'2006-01-02' }}-%d",
        "both 1000-1001 2000-2001",
        "tcp:127.0.0.1:80-90,95",
        "10.0.0.1-10.0.0.9",
        "fd00::1-fd00::9",
        "00:16:3e:00:00:01",
        "1h",
        "10Mbit",
        "100iops",
        "0644",
        "1-5,7",
        "zstd -3",
        "gzip",
        "last:3 daily:7",
        "unlimited",
        "https://a.b:8443/c",
        "[::]:8443",
        "vfio-pci",
        "1234",
        "0000:00:1f.0",
    ];
    let kinds = ENTITIES.len()..ENTITIES.len() + VALUES.len();
    let of_values =
        kinds.flat_map(|number| samples.map(|text| [&[number as u8], text.as_bytes()].concat()));
    of_entities.chain(of_values).collect()
}
