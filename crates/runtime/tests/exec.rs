//! Programs run inside from outside.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use common::{Guest, eventually, exit, finish, skip, text, write};
use runtime::{Error, ExecIo, ExecSpec, Stdio};

#[test]
fn output_errors_and_exit_codes_come_back() {
    if skip() {
        return;
    }
    let guest = Guest::new("exec").start();
    let (code, out, err) = guest.sh("echo out; echo err >&2; exit 3");
    assert_eq!((code, out.as_str(), err.as_str()), (3, "out\n", "err\n"));
    assert_eq!(guest.sh("kill -9 $$").0, 128 + 9);
    // The program's own ends of the pipes are its own to open again.
    assert_eq!(guest.ok("echo again > /dev/stdout"), "again\n");
    let big = guest.ok("yes | head -n 300000 | wc -c");
    assert_eq!(big.trim(), "600000");
    assert_eq!(guest.ok("seq 1 200000").len(), 1_288_895);
}

#[test]
fn input_reaches_it_and_ends() {
    if skip() {
        return;
    }
    let guest = Guest::new("input").start();
    let mut exec = guest.monitor().exec(&ExecSpec::new(["wc", "-c"]), ExecIo::New).unwrap();
    let Stdio::Pipes { stdin, stdout, .. } = exec.take_stdio() else { panic!("no pipes") };
    write(&stdin, "twelve bytes");
    drop(stdin);
    assert_eq!(text(stdout).trim(), "12");
    assert_eq!(exit(&mut exec), 0);
}

#[test]
fn user_group_folder_and_environment_are_as_asked() {
    if skip() {
        return;
    }
    let guest = Guest::new("user").start();
    let mut spec = ExecSpec::new(["sh", "-c", "id; pwd; echo $HELLO; touch /tmp/mine"]);
    (spec.uid, spec.gid, spec.groups) = (1000, 1001, vec![44]);
    spec.cwd = Some("/tmp".into());
    spec.env.push(("HELLO".into(), "world".into()));
    let (code, out, err) = finish(guest.monitor().exec(&spec, ExecIo::New).unwrap());
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, "uid=1000 gid=1001 groups=44\n/tmp\nworld\n");
    // On disk the file has the plain id.
    let owner =
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(guest.root().join("tmp/mine")).unwrap());
    assert_eq!(owner, 1000);
}

#[test]
fn what_cannot_be_run_says_why() {
    if skip() {
        return;
    }
    let guest = Guest::new("cannot").start();
    let run = |spec: &ExecSpec| guest.monitor().exec(spec, ExecIo::New).unwrap_err();
    let error = run(&ExecSpec::new(["nothing"]));
    let Error::Step { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    let error = run(&ExecSpec::new(["/etc/passwd"]));
    let Error::Step { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    let mut spec = ExecSpec::new(["true"]);
    spec.cwd = Some("/nowhere".into());
    assert!(run(&spec).to_string().contains("/nowhere"));
    // And it leaves nothing behind that would hinder the next.
    assert_eq!(guest.ok("echo fine"), "fine\n");
}

#[test]
fn a_terminal_has_its_size_and_follows() {
    if skip() {
        return;
    }
    let guest = Guest::new("terminal").start();
    let mut spec = ExecSpec::new(["sh", "-c", "tty -s; stty size; read line; stty size; exit 5"]);
    spec.tty = Some((111, 33));
    let mut exec = guest.monitor().exec(&spec, ExecIo::New).unwrap();
    let Stdio::Pty(pty) = exec.take_stdio() else { panic!("no terminal") };
    let mut seen = String::new();
    common::read_until(&pty, &mut seen, "33 111");
    exec.resize(80, 24).unwrap();
    write(&pty, "\n");
    common::read_until(&pty, &mut seen, "24 80");
    assert_eq!(exit(&mut exec), 5);
}

#[test]
fn signals_reach_it() {
    if skip() {
        return;
    }
    let guest = Guest::new("signals").start();
    let line = "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut exec = guest.monitor().exec(&ExecSpec::new(["sh", "-c", line]), ExecIo::New).unwrap();
    let Stdio::Pipes { stdout, .. } = exec.take_stdio() else { panic!("no pipes") };
    let mut seen = String::new();
    common::read_until(&stdout, &mut seen, "ready");
    assert_eq!(exec.try_wait().unwrap(), None);
    exec.signal(15).unwrap();
    assert_eq!(exit(&mut exec), 9);
    exec.signal(15).unwrap();
}

#[test]
fn it_uses_descriptors_it_is_given() {
    if skip() {
        return;
    }
    let guest = Guest::new("given").start();
    let file: OwnedFd = fs::File::create(guest.folder.path().join("out")).unwrap().into();
    let null: OwnedFd = fs::File::open("/dev/null").unwrap().into();
    let io = ExecIo::Given([null.as_fd(), file.as_fd(), file.as_fd()]);
    let spec = ExecSpec::new(["echo", "straight"]);
    assert_eq!(exit(&mut guest.monitor().exec(&spec, io).unwrap()), 0);
    assert_eq!(fs::read(guest.folder.path().join("out")).unwrap(), b"straight\n");
}

#[test]
fn it_outlives_its_client() {
    if skip() {
        return;
    }
    let guest = Guest::new("outlives").start();
    // It writes more than a pipe holds after its client is gone, and must neither hang nor die.
    let line = "sleep 0.2; yes | head -n 200000; echo $? > /tmp/done";
    for tty in [None, Some((80, 25))] {
        let mut spec = ExecSpec::new(["sh", "-c", line]);
        spec.tty = tty;
        drop(guest.monitor().exec(&spec, ExecIo::New).unwrap());
        let done = guest.root().join("tmp/done");
        eventually("the program ends well", || {
            fs::read_to_string(&done).is_ok_and(|code| code.trim() == "0")
        });
        fs::remove_file(done).unwrap();
    }
}

#[test]
fn nothing_of_the_host_leaks_in() {
    if skip() {
        return;
    }
    let guest = Guest::new("leaks").start();
    let line = "ls -l /proc/self/fd | wc -l; ls /proc/1/root; cat /proc/self/uid_map";
    let out = guest.ok(line);
    // Three, the folder itself, and the line "total".
    assert_eq!(out.lines().next().unwrap().trim(), "5", "{out}");
    assert!(out.contains("1000000"), "{out}");
    let (_, env, _) = finish(guest.monitor().exec(&ExecSpec::new(["env"]), ExecIo::New).unwrap());
    assert_eq!(env.lines().count(), 3, "PATH, HOME and TERM: {env}");
    let seen = guest.ok("grep -c . /proc/1/status; grep Seccomp: /proc/self/status");
    assert!(seen.contains("Seccomp:\t2"), "{seen}");
    assert!(guest.ok("cat /proc/self/cgroup").contains("0::/.exec"));
    assert!(!guest.sh("mknod /tmp/sda b 8 0").1.contains("sda"));
    assert_ne!(guest.sh("mknod /tmp/sda b 8 0").0, 0);
}

#[test]
fn a_frozen_instance_refuses() {
    if skip() {
        return;
    }
    let guest = Guest::new("frozen").start();
    guest.monitor().freeze(true).unwrap();
    assert_eq!(guest.monitor().info().unwrap().state, runtime::State::Frozen);
    let error = guest.monitor().exec(&ExecSpec::new(["true"]), ExecIo::New).unwrap_err();
    assert!(matches!(error, Error::Frozen), "{error}");
    guest.monitor().freeze(false).unwrap();
    assert_eq!(guest.ok("echo thawed"), "thawed\n");
    // What is frozen can be killed.
    guest.monitor().freeze(true).unwrap();
    let mut watch = guest.monitor().watch().unwrap();
    guest.monitor().kill().unwrap();
    assert_eq!(common::stopped(&mut watch), runtime::ExitReason::Signal(9));
}

#[test]
fn it_is_quick() {
    if skip() {
        return;
    }
    let guest = Guest::new("quick").start();
    let mut times: Vec<_> = (0..30)
        .map(|_| {
            let start = Instant::now();
            let spec = ExecSpec::new(["/bin/true"]);
            assert_eq!(exit(&mut guest.monitor().exec(&spec, ExecIo::Null).unwrap()), 0);
            start.elapsed()
        })
        .collect();
    times.sort();
    eprintln!("exec of true: median {:?}, best {:?}", times[15], times[0]);
    assert!(times[0] < Duration::from_millis(50), "{times:?}");
}
