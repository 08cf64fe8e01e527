use spec::CpuLimit;

use super::{super::layout::Hierarchy, *};

fn hierarchy(path: &str, controllers: &[&str]) -> Hierarchy {
    let controllers = controllers.iter().map(|&name| name.to_owned()).collect();
    Hierarchy { path: path.into(), controllers }
}

fn v2() -> Layout {
    Layout { unified: Some(hierarchy("/cg", &["cpu", "cpuset", "memory", "pids"])), v1: vec![] }
}

fn hybrid() -> Layout {
    Layout {
        unified: Some(hierarchy("/cg/unified", &["hugetlb"])),
        v1: vec![
            hierarchy("/cg/cpu", &["cpu", "cpuacct"]),
            hierarchy("/cg/memory", &["memory"]),
            hierarchy("/cg/pids", &["pids"]),
        ],
    }
}

fn asked(layout: &Layout, limits: &Limits) -> Vec<String> {
    writes(layout, limits)
        .into_iter()
        .filter(|write| write.asked)
        .map(|write| match write.root {
            Some(root) => format!("{}/{}={}", root.display(), write.file, write.value),
            None => format!("?/{}", write.file),
        })
        .collect()
}

fn some() -> Limits {
    Limits {
        memory: Some(1 << 28),
        memory_swap: Some(false),
        cpus: Some(CpuLimit {
            set: Some("0-1".to_owned()),
            quota: Some((50_000, 100_000)),
            weight: Some(50),
        }),
        processes: Some(100),
        ..Limits::default()
    }
}

#[test]
fn version_2() {
    assert_eq!(
        asked(&v2(), &some()),
        [
            "/cg/memory.max=268435456",
            "/cg/memory.swap.max=0",
            "/cg/cpu.max=50000 100000",
            "/cg/cpu.weight=50",
            "/cg/cpuset.cpus=0-1",
            "/cg/pids.max=100",
        ]
    );
}

#[test]
fn both_versions_at_once() {
    assert_eq!(
        asked(&hybrid(), &some()),
        [
            "/cg/memory/memory.limit_in_bytes=268435456",
            "/cg/memory/memory.memsw.limit_in_bytes=268435456",
            "/cg/memory/memory.swappiness=0",
            "/cg/cpu/cpu.cfs_period_us=100000",
            "/cg/cpu/cpu.cfs_quota_us=50000",
            "/cg/cpu/cpu.shares=512",
            "?/cpuset.cpus",
            "/cg/pids/pids.max=100",
        ]
    );
}

#[test]
fn nothing_asked_lifts_everything() {
    assert!(asked(&v2(), &Limits::default()).is_empty());
    let lifted: Vec<_> = writes(&v2(), &Limits::default())
        .into_iter()
        .map(|write| format!("{}={}", write.file, write.value))
        .collect();
    assert!(lifted.contains(&"memory.max=max".to_owned()));
    assert!(lifted.contains(&"cpu.max=max 100000".to_owned()));
    assert!(lifted.contains(&"pids.max=max".to_owned()));
}

#[test]
fn weights_of_disks_and_huge_pages() {
    let hugepages = [None, None, Some(4 << 20), None];
    let some = Limits { disk_weight: Some(40), hugepages, ..Limits::default() };
    let whole = Layout { unified: Some(hierarchy("/cg", &["io", "hugetlb"])), v1: vec![] };
    assert_eq!(asked(&whole, &some), ["/cg/io.weight=40", "/cg/hugetlb.2MB.max=4194304"]);
    let mut older = hybrid();
    older.v1.push(hierarchy("/cg/blkio", &["blkio"]));
    let written = asked(&older, &some);
    assert_eq!(written, ["/cg/blkio/blkio.bfq.weight=40", "/cg/unified/hugetlb.2MB.max=4194304"]);
    assert_eq!(asked(&v2(), &some), ["?/blkio.bfq.weight", "?/hugetlb.2MB.limit_in_bytes"]);
}
