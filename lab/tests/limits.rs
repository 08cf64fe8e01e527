//! Limits, at start and while it runs; freezing.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use lab::{Client, Daemon, until};

/// A limit of an instance as the kernel has it: the file of cgroup version 2, or that of version 1.
fn kernel(daemon: &Daemon, name: &str, v2: &str, v1: &str) -> String {
    let file = daemon.folder().join(format!("run/default_{name}/spec.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file:?}: {e}"));
    let spec: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let group = spec["cgroup"].as_str().unwrap_or_default().to_owned();
    let places =
        [format!("/sys/fs/cgroup/{group}/{v2}"), format!("/sys/fs/cgroup/unified/{group}/{v2}")];
    let controller = v1.split('.').next().unwrap_or_default();
    let old = format!("/sys/fs/cgroup/{controller}/{group}/{v1}");
    let found = places.into_iter().chain([old]).find_map(|path| std::fs::read_to_string(path).ok());
    found.unwrap_or_else(|| panic!("no {v2} and no {v1} of {group}")).trim().to_owned()
}

fn memory(daemon: &Daemon) -> String {
    kernel(daemon, "x", "memory.max", "memory.limit_in_bytes")
}

#[test]
fn memory_at_start_and_live() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.memory=64MiB"]).ok();
    assert_eq!(memory(&daemon), (64 << 20).to_string());
    daemon.lxc(["config", "set", "x", "limits.memory", "128MiB"]).ok();
    assert_eq!(memory(&daemon), (128 << 20).to_string());
    daemon.lxc(["config", "unset", "x", "limits.memory"]).ok();
    let unlimited = memory(&daemon);
    assert!(unlimited == "max" || unlimited.len() > 15, "{unlimited}");
    daemon.cli(["config", "set", "x", "limits.memory=32MiB"]).ok();
    daemon.cli(["restart", "x", "--force"]).ok();
    assert_eq!(memory(&daemon), (32 << 20).to_string());
    let usage = daemon.state("x")["memory"]["usage"].as_u64().unwrap_or_default();
    assert!(usage > 0 && usage <= 32 << 20, "{usage}");
}

#[test]
fn what_takes_too_much_memory_is_killed_and_the_instance_lives_on() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.memory=48MiB"]).ok();
    let run = daemon.sh("x", "dd if=/dev/zero of=/dev/null bs=200M count=1");
    assert_eq!(run.status, 137, "{run}");
    assert_eq!(daemon.status("x"), "Running");
    daemon.sh("x", "true").ok();
}

#[test]
fn processors_at_start_and_live() {
    let Some(daemon) = Daemon::ready() else { return };
    let all = lab::host(&["nproc"]).text();
    if all == "1" {
        return lab::skip("the machine has one processor");
    }
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.cpu=1"]).ok();
    assert_eq!(daemon.sh("x", "nproc").text(), "1");
    daemon.lxc(["config", "set", "x", "limits.cpu", "0-1"]).ok();
    assert_eq!(daemon.sh("x", "nproc").text(), "2");
    daemon.cli(["config", "set", "x", "limits.cpu=1"]).ok();
    assert_eq!(daemon.sh("x", "nproc").text(), "1");
    daemon.cli(["config", "unset", "x", "limits.cpu"]).ok();
    assert_eq!(daemon.sh("x", "nproc").text(), all);
    if let Ok(node) = std::fs::read_to_string("/sys/devices/system/node/node0/cpulist") {
        daemon.cli(["config", "set", "x", "limits.cpu.nodes=0"]).ok();
        let allowed = daemon.sh("x", "grep Cpus_allowed_list /proc/self/status").text();
        assert_eq!(allowed.split_whitespace().nth(1), Some(node.trim()));
        let absent = daemon.cli(["config", "set", "x", "limits.cpu.nodes=0,77"]);
        absent.fails_with("node 77 is not here");
        daemon.cli(["config", "unset", "x", "limits.cpu.nodes"]).ok();
    }
    daemon.cli(["config", "set", "x", "limits.cpu.allowance=20ms/100ms"]).ok();
    let quota = kernel(&daemon, "x", "cpu.max", "cpu.cfs_quota_us");
    assert!(quota == "20000" || quota == "20000 100000", "{quota}");
}

#[test]
fn processes_at_start_and_live() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.processes=20"]).ok();
    let many = "for n in $(seq 40); do sleep 3 & done; wait";
    let run = daemon.sh("x", many);
    assert!(run.stderr.contains("fork"), "{run}");
    daemon.cli(["config", "set", "x", "limits.processes=200"]).ok();
    let run = daemon.sh("x", many);
    assert!(!run.stderr.contains("fork"), "{run}");
}

#[test]
fn huge_pages_at_start_and_live() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["launch", "local:busybox", "x", "-c", "limits.hugepages.2MB=4MiB"]).ok();
    let limit = || daemon.sh("x", "cat /sys/fs/cgroup/hugetlb.2MB.max; true").text();
    if limit().is_empty() {
        return lab::skip("the kernel counts no huge pages here");
    }
    assert_eq!(limit(), "4194304");
    daemon.lxc(["config", "set", "x", "limits.hugepages.2MB", "8MiB"]).ok();
    assert_eq!(limit(), "8388608");
    daemon.lxc(["config", "unset", "x", "limits.hugepages.2MB"]).ok();
    assert_eq!(limit(), "max");
}

#[test]
fn a_frozen_instance_stands_still_and_goes_on() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    daemon.sh("x", "(while :; do date +%s%N > /tmp/tick; sleep 0.02; done) >/dev/null 2>&1 &").ok();
    let tick = daemon.folder().join("storage-pools/default/containers/x/upper/tmp/tick");
    let read = || std::fs::read_to_string(&tick).unwrap_or_default();
    until("it ticks", || (!read().is_empty()).then_some(()));
    daemon.cli(["pause", "x"]).ok();
    assert_eq!(daemon.status("x"), "Frozen");
    let before = read();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(read(), before, "it ticks while it is frozen");
    // A program started now would hang until it goes on.
    daemon.cli(["exec", "x", "--", "true"]).fails_with("frozen");
    daemon.lxc(["exec", "x", "--", "true"]).fails_with("frozen");
    daemon.cli(["resume", "x"]).ok();
    until("it ticks again", || (read() != before).then_some(()));
    for client in [Client::Cli, Client::Lxc] {
        daemon.cli(["pause", "x"]).ok();
        daemon.run(client, &["start", "x"]).ok();
        assert_eq!(daemon.status("x"), "Running");
    }
    daemon.cli(["pause", "x"]).ok();
    daemon.cli(["stop", "x", "--force"]).ok();
    daemon.cli(["start", "x"]).ok();
    daemon.cli(["pause", "x"]).ok();
    // A clean stop wakes it up first.
    daemon.cli(["stop", "x"]).ok();
    daemon.cli(["start", "x"]).ok();
    daemon.cli(["pause", "x"]).ok();
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.no_instance_left();
}

/// What a program says in the machine `v`.
fn says(daemon: &Daemon, what: &str) -> String {
    lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
        let said = daemon.cli(["exec", "v", "--", "sh", "-c", what]);
        (said.status == 0).then(|| said.text())
    })
}

/// The memory that the machine `v` sees.
fn mebibytes(daemon: &Daemon) -> u64 {
    let said = says(daemon, "awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo");
    said.parse().unwrap_or_else(|e| panic!("{said}: {e}"))
}

/// Takes memory from the machine `v`, as a daemon does.
fn balloon(daemon: &Daemon, bytes: u64) {
    let socket = daemon.folder().join("machines/default_v/io/qmp.sock");
    let stream = UnixStream::connect(&socket).unwrap_or_else(|e| panic!("{socket:?}: {e}"));
    let mut reader = BufReader::new(&stream);
    let mut ask = |call: &str| {
        writeln!(&stream, "{call}").unwrap_or_else(|e| panic!("{call}: {e}"));
        let mut line = String::new();
        while !line.contains("\"return\"") {
            line.clear();
            let read = reader.read_line(&mut line).unwrap_or_else(|e| panic!("{call}: {e}"));
            assert_ne!(read, 0, "{call}");
        }
        line
    };
    ask(r#"{"execute":"qmp_capabilities"}"#);
    ask(&format!(r#"{{"execute":"balloon","arguments":{{"value":{bytes}}}}}"#));
    until("the guest follows", || {
        ask(r#"{"execute":"query-balloon"}"#).contains(&bytes.to_string()).then_some(())
    });
}

#[test]
fn a_machine_takes_memory_and_processors_while_it_runs() {
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    if lab::host(&["nproc"]).text() == "1" {
        return lab::skip("the machine has one processor");
    }
    let options =
        ["-c", "limits.memory=256MiB", "-c", "limits.cpu=1", "-c", "migration.stateful=true"];
    daemon.run(Client::Cli, &[&["launch", "local:tiny", "v", "--vm"], &options[..]].concat()).ok();
    let says = |what: &str| says(&daemon, what);
    let whole = mebibytes(&daemon);
    let set = |option: &str| daemon.lxc(["config", "set", "v", option]);
    set("limits.memory=192MiB").ok();
    let less = mebibytes(&daemon);
    assert!((whole - 66..=whole - 62).contains(&less), "{less} of {whole}");
    set("limits.memory=256MiB").ok();
    assert_eq!(mebibytes(&daemon), whole);
    set("limits.memory=512MiB").fails_with("started with");
    daemon.lxc(["pause", "v"]).ok();
    set("limits.memory=192MiB").fails_with("paused");
    daemon.lxc(["start", "v"]).ok();
    let kept = daemon.lxc(["config", "get", "v", "limits.memory"]).text();
    assert_eq!(kept, "256MiB");

    let processors = |count: &str| {
        until("the guest uses them", || (says("nproc") == count).then_some(()));
    };
    processors("1");
    set("limits.cpu=2").ok();
    processors("2");
    set("limits.cpu=1000").fails_with("can have");
    // What goes on from its memory has them too.
    daemon.cli(["stop", "v", "--stateful"]).ok();
    daemon.cli(["start", "v"]).ok();
    processors("2");
    let fewer = set("limits.cpu=1");
    match fewer.status {
        0 => processors("1"),
        _ => drop(fewer.fails_with("translator")),
    }
    // Those that are named are bound, each to its own.
    let bound = |daemon: &Daemon| {
        let tasks = format!("/proc/{}/task/*/status", daemon.init_of("v"));
        let line = format!("grep -h Cpus_allowed_list {tasks} | sort -u | awk '{{ print $2 }}'");
        lab::host(&["sh", "-c", &line]).text().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let all = bound(&daemon);
    assert!(!all.contains(' '), "{all}");
    set("limits.cpu=0-1").ok();
    let each = bound(&daemon);
    assert!(
        each.split(' ').any(|set| set == "0") && each.split(' ').any(|set| set == "1"),
        "{each}"
    );
    set("limits.cpu=2").ok();
    assert_eq!(bound(&daemon), all);
    set("limits.cpu.pin_strategy=auto").ok();
    assert!(bound(&daemon).contains(' '));

    // A daemon that dies amid a change leaves the machine with what its row does not say.
    daemon.kill9();
    balloon(&daemon, 192 << 20);
    daemon.launch();
    until("it has its memory again", || (mebibytes(&daemon) == whole).then_some(()));
    daemon.cli(["stop", "v", "--force"]).ok();
    daemon.cli(["config", "set", "v", "limits.cpu.nodes=0"]).ok();
    daemon.cli(["config", "set", "v", "limits.memory.hugepages=true"]).ok();
    daemon.cli(["start", "v"]).fails_with("vm.nr_hugepages");
}
