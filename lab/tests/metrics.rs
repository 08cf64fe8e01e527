//! What monitoring asks for: of a container, of a virtual machine, and through a door of its own.

use std::collections::BTreeMap;

use lab::{Client, Daemon, Run, host, machines::has_agent, skip, until};

/// The lines of a metrics text: what stands before the number, and the number.
fn numbers(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (key, number) = line.rsplit_once(' ')?;
        Some((key.to_owned(), number.parse().ok()?))
    };
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("no metric: {line}"))).collect()
}

/// The sum of all with that name and all of those labels.
fn sum(all: &BTreeMap<String, f64>, name: &str, labels: &[&str]) -> Option<f64> {
    let fits = |key: &str| {
        key.split('{').next() == Some(name) && labels.iter().all(|label| key.contains(label))
    };
    let found: Vec<f64> = all.iter().filter(|(key, _)| fits(key)).map(|(_, n)| *n).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

fn curl(daemon: &Daemon, who: Option<&str>, url: &str) -> Run {
    let mut words = vec!["curl", "-sk", "--max-time", "20", url];
    let (certificate, key) =
        (format!("{}.crt", who.unwrap_or("")), format!("{}.key", who.unwrap_or("")));
    if who.is_some() {
        words.extend(["--cert", &certificate, "--key", &key]);
    }
    daemon.netns().run(&words)
}

#[test]
fn a_container_is_told_of_and_only_where_it_may_be() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("c");
    daemon.lxc(["project", "create", "other"]).ok();
    daemon.lxc(["config", "set", "c", "limits.memory=64MiB"]).ok();
    let work = "dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null; sync; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
    daemon.lxc(["exec", "c", "--", "sh", "-c", work]).ok();
    let text = daemon.lxc(["query", "/1.0/metrics"]).text();
    assert!(text.trim_end().ends_with("# EOF"), "{text}");
    let all = numbers(&text);
    let own = ["name=\"c\"", "project=\"default\"", "type=\"container\""];
    let of = |name: &str, more: &[&str]| {
        sum(&all, name, &[&own[..], more].concat()).unwrap_or_else(|| panic!("{name} in {text}"))
    };
    assert!(of("lxd_cpu_seconds_total", &["mode=\"user\""]) > 0.0);
    assert!(of("lxd_cpu_effective_total", &[]) >= 1.0);
    assert!(of("lxd_procs_total", &[]) >= 1.0);
    assert!(of("lxd_filesystem_size_bytes", &["mountpoint=\"/\""]) > 1e6);
    assert!(of("lxd_filesystem_avail_bytes", &["mountpoint=\"/\""]) > 0.0);
    assert!(of("lxd_network_receive_bytes_total", &["device=\"eth0\""]) >= 0.0);
    assert!(of("lxd_network_transmit_packets_total", &["device=\"lo\""]) >= 0.0);
    // Some machines have no memory controller, nor one for disks.
    match sum(&all, "lxd_memory_MemTotal_bytes", &own) {
        Some(total) => {
            assert_eq!(total, f64::from(64 << 20));
            assert!(of("lxd_memory_MemFree_bytes", &[]) < total);
            assert!(of("lxd_memory_RSS_bytes", &[]) > 0.0);
        }
        None => skip("no memory controller: what it counts is not looked at"),
    }
    let count = |kind: &str, project: &str| {
        let labels = [format!("type=\"{kind}\""), format!("project=\"{project}\"")];
        sum(&all, "lxd_instances", &labels.each_ref().map(String::as_str))
    };
    assert_eq!(count("container", "default"), Some(1.0));
    assert_eq!(count("virtual-machine", "other"), Some(0.0));
    assert!(sum(&all, "lxd_uptime_seconds", &[]).is_some_and(|seconds| seconds > 0.0));
    assert!(sum(&all, "lxd_operations_total", &[]).is_some());
    let asked = ["entity_type=\"instance\"", "result=\"succeeded\""];
    assert!(sum(&all, "lxd_api_requests_completed_total", &asked).is_some_and(|n| n >= 1.0));

    // Of one project, and of one that is not there.
    let other = numbers(&daemon.lxc(["query", "/1.0/metrics?project=other"]).text());
    assert_eq!(sum(&other, "lxd_procs_total", &[]), None);
    assert_eq!(sum(&other, "lxd_uptime_seconds", &[]), None);
    daemon.lxc(["query", "/1.0/metrics?project=nowhere"]).fails_with("nowhere");
    // What does not run is not told of.
    daemon.lxc(["stop", "c", "--force"]).ok();
    let after = numbers(&daemon.lxc(["query", "/1.0/metrics"]).text());
    assert_eq!(sum(&after, "lxd_procs_total", &[]), None);
    assert_eq!(sum(&after, "lxd_instances", &["project=\"default\"", "container"]), Some(1.0));
}

#[test]
fn the_door_of_its_own_serves_metrics_alone() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("c");
    daemon.lxc(["project", "create", "other"]).ok();
    daemon.lxc(["config", "set", "core.metrics_address", "127.0.0.1"]).ok();
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    let at = |name: &str| daemon.scratch().join(name).to_string_lossy().into_owned();
    for name in ["scraper", "held"] {
        let (key, certificate) = (at(&format!("{name}.key")), at(&format!("{name}.crt")));
        let curve = "ec_paramgen_curve:secp384r1";
        let subject = format!("/CN={name}");
        host(&[
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            curve,
            "-sha384",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            &key,
            "-out",
            &certificate,
            "-subj",
            &subject,
        ])
        .ok();
    }
    daemon.lxc(["config", "trust", "add", &at("scraper.crt"), "--type=metrics"]).ok();
    let held = ["--restricted", "--projects", "other"];
    let held_crt = at("held.crt");
    let words = [&["config", "trust", "add", &held_crt][..], &held].concat();
    daemon.run(Client::Lxc, &words).ok();

    let scraper = at("scraper");
    let metrics = |who: Option<&str>, port: u16| {
        let run = curl(&daemon, who, &format!("https://127.0.0.1:{port}/1.0/metrics"));
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    for port in [9100, 8443] {
        let text = metrics(Some(&scraper), port);
        assert!(sum(&numbers(&text), "lxd_procs_total", &["name=\"c\""]).is_some(), "{text}");
        assert!(metrics(None, port).contains("403"), "strangers see nothing");
    }
    // It is for metrics alone, and so is the door.
    let json = |who: Option<&str>, url: &str| {
        let out = curl(&daemon, who, url).stdout;
        serde_json::from_slice::<serde_json::Value>(&out).unwrap_or_default()
    };
    let seen = json(Some(&scraper), "https://127.0.0.1:8443/1.0/instances");
    assert_eq!(seen["error_code"], 403, "{seen}");
    let greeting = json(Some(&scraper), "https://127.0.0.1:9100/1.0");
    assert_eq!(greeting["metadata"]["auth"], "untrusted", "{greeting}");
    assert_eq!(json(None, "https://127.0.0.1:9100/1.0/instances")["error_code"], 404);
    // Who is held to a project sees that alone, and nothing of the server.
    let text = metrics(Some(&at("held")), 8443);
    assert!(sum(&numbers(&text), "lxd_instances", &["project=\"other\""]).is_some(), "{text}");
    assert!(!text.contains("name=\"c\"") && !text.contains("lxd_uptime"), "{text}");
    let url = "https://127.0.0.1:8443/1.0/metrics?project=default";
    assert_eq!(json(Some(&at("held")), url)["error_code"], 403);

    // Without authentication, anybody.
    daemon.lxc(["config", "set", "core.metrics_authentication", "false"]).ok();
    assert!(metrics(None, 9100).contains("name=\"c\""));
    daemon
        .lxc(["config", "set", "core.metrics_authentication", "yes-please"])
        .fails_with("yes-please");
    daemon
        .lxc(["config", "set", "core.metrics_address", "127.0.0.1:8443"])
        .fails_with("cannot listen on 127.0.0.1:8443");
    daemon.lxc(["config", "unset", "core.metrics_address"]).ok();
    assert!(!metrics(None, 9100).contains("lxd_"));
}

#[test]
fn a_machine_is_told_of_by_its_agent_or_by_qemu() {
    let Some(daemon) = Daemon::machines() else { return };
    let small = ["--vm", "-d", "root,size=64MiB", "-c", "limits.memory=192MiB"];
    daemon.run(Client::Lxc, &[&["launch", "tiny", "v"][..], &small].concat()).ok();
    daemon.says("v", "guest is up, boot 1");
    let own = ["name=\"v\"", "type=\"virtual-machine\""];
    let read = || numbers(&daemon.lxc(["query", "/1.0/metrics"]).text());
    if has_agent() {
        let all = until("the agent tells", || {
            let all = read();
            sum(&all, "lxd_cpu_seconds_total", &[&own[..], &["mode=\"idle\""]].concat())?;
            Some(all)
        });
        assert!(sum(&all, "lxd_procs_total", &own).is_some_and(|count| count >= 1.0));
        let total = sum(&all, "lxd_memory_MemTotal_bytes", &own);
        assert!(total.is_some_and(|total| total < f64::from(192 << 20)), "{total:?}");
        assert!(
            sum(&all, "lxd_disk_reads_completed_total", &[&own[..], &["sda"]].concat()).is_some()
        );
        assert!(sum(&all, "lxd_network_receive_packets_total", &own).is_some());
    } else {
        skip("no agent was built: cargo xtask agent");
    }
    // What QEMU and the host see.
    daemon.lxc(["config", "set", "v", "security.agent.metrics", "false"]).ok();
    let all = read();
    assert_eq!(sum(&all, "lxd_procs_total", &own), None);
    // The translator's machines have a few pages more (docs/decisions/migration.md).
    let total = sum(&all, "lxd_memory_MemTotal_bytes", &own).unwrap_or_default();
    assert!((total - f64::from(192 << 20)).abs() < f64::from(64 << 10), "{total}");
    assert_eq!(sum(&all, "lxd_cpu_effective_total", &own), Some(1.0));
    assert!(sum(&all, "lxd_cpu_seconds_total", &own).is_some_and(|seconds| seconds > 0.1));
    let root = [&own[..], &["device=\"root\""]].concat();
    assert!(sum(&all, "lxd_disk_read_bytes_total", &root).is_some_and(|bytes| bytes > 0.0));
    let card = [&own[..], &["device=\"eth0\""]].concat();
    assert!(sum(&all, "lxd_network_transmit_bytes_total", &card).is_some_and(|bytes| bytes > 0.0));
}
