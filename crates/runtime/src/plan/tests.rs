//! Golden tests: `MICROCLOUD_BLESS=1` writes the files anew.

use std::{env, fs, path::Path};

use spec::{CpuLimit, Limits, Process};

use super::*;

fn golden((name, expected): (&str, &str), spec: &InstanceSpec) {
    let host = Host { devices: vec!["fuse".into()], cgroup2: true };
    let plan = Plan::new(spec, &host).unwrap();
    let text = serde_json::to_string_pretty(&plan).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/golden").join(name);
    if env::var_os("MICROCLOUD_BLESS").is_some() {
        return fs::write(&path, &text).unwrap();
    }
    assert_eq!(expected, text, "{}", path.display());
}

fn spec() -> InstanceSpec {
    let root = Root::Dir { path: "/pool/c1/rootfs".into() };
    InstanceSpec::new("tag", "default_c1", 3, root, Process::init("/sbin/init"))
}

#[test]
fn a_plain_container() {
    golden(("plain.json", include_str!("golden/plain.json")), &spec());
}

#[test]
fn a_container_with_everything() {
    let mut spec = spec();
    spec.root = Root::Overlay {
        lower: vec!["/images/a".into(), "/images/b".into()],
        upper: "/pool/c1/upper".into(),
        work: "/pool/c1/work".into(),
    };
    spec.mounts = vec![
        Mount { readonly: true, ..Mount::new("/srv/data", "/mnt/data") },
        Mount::new("/srv/mask", "/proc/kcore"),
    ];
    spec.devices =
        vec![DeviceNode { uid: 1000, gid: 44, ..DeviceNode::character("/dev/dri/card0", 226, 0) }];
    spec.limits = Limits {
        cpus: Some(CpuLimit { set: Some("0".into()), ..CpuLimit::default() }),
        ..Limits::default()
    };
    spec.sysctls = vec![("net.ipv4.conf.eth0/1.forwarding".into(), "1".into())];
    spec.nesting = true;
    golden(("everything.json", include_str!("golden/everything.json")), &spec);
}

#[test]
fn a_privileged_container() {
    let mut spec = spec();
    spec.idmap = None;
    golden(("privileged.json", include_str!("golden/privileged.json")), &spec);
}

#[test]
fn dangerous_specifications_are_refused() {
    let refused = |change: fn(&mut InstanceSpec)| {
        let mut spec = spec();
        change(&mut spec);
        Plan::new(&spec, &Host::default()).is_err()
    };
    assert!(refused(|spec| spec.id = "../up".into()));
    assert!(refused(|spec| spec.cgroup = "a/../../b".into()));
    assert!(refused(|spec| spec.mounts = vec![Mount::new("/srv", "/")]));
    assert!(refused(|spec| spec.mounts = vec![Mount::new("/srv", "/a/../../b")]));
    assert!(refused(|spec| spec.idmap = Some(spec::IdMap { base: 0, size: 10 })));
    assert!(refused(|spec| spec.process.argv.clear()));
    assert!(!refused(|_| {}));
}
