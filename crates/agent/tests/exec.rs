//! Programs, run by an agent at the other end of a pair.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

mod common;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream as StdStream,
    time::{Duration, Instant},
};

use agent::{Agent, Exec};
use common::{SOON, agent, all, first_version, root};
use runtime::{ExecIo, ExecSpec, Stdio};
use tokio::{io::AsyncWriteExt, time::timeout};

async fn start(agent: &Agent, spec: &ExecSpec) -> (Exec, Stdio) {
    let mut exec = agent.exec(spec, ExecIo::New).await.unwrap();
    let stdio = exec.take_stdio();
    (exec, stdio)
}

fn sh(script: &str) -> ExecSpec {
    ExecSpec::new(["sh", "-c", script])
}

/// Code, output and errors of a program without input.
async fn run(agent: &Agent, spec: &ExecSpec) -> (i32, String, String) {
    let (exec, stdio) = start(agent, spec).await;
    let Stdio::Pipes { stdin, stdout, stderr } = stdio else { panic!("no pipes") };
    drop(stdin);
    let (out, err, code) = tokio::join!(all(stdout), all(stderr), timeout(SOON, exec.wait()));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code.unwrap().unwrap(), text(out), text(err))
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_give_their_codes_and_both_outputs() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let told = run(&agent, &sh("echo out; echo err >&2; exit 7")).await;
    assert_eq!(told, (7, "out\n".into(), "err\n".into()));
    let mut spec = sh("id -u; id -g; id -G; pwd; echo $WORD; cat /proc/self/oom_score_adj");
    spec.env.push(("WORD".into(), "a b".into()));
    spec = ExecSpec { uid: 1234, gid: 4321, cwd: Some("/usr".into()), groups: vec![7], ..spec };
    let (code, out, err) = run(&agent, &spec).await;
    assert_eq!((code, out.as_str(), err.as_str()), (0, "1234\n4321\n4321 7\n/usr\na b\n0\n", ""));
    // A user may open again what is his.
    let spec = ExecSpec { uid: 1234, ..sh("echo again > /dev/stdout") };
    assert_eq!(run(&agent, &spec).await, (0, "again\n".into(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_end_may_speak_an_older_protocol() {
    if !root() {
        return;
    }
    let agent = first_version().await;
    assert_eq!(run(&agent, &sh("echo out; exit 7")).await, (7, "out\n".into(), String::new()));
    let failed = agent.exec(&ExecSpec::new(["no-such-program"]), ExecIo::Null).await;
    assert!(failed.is_err());
    assert_eq!(run(&agent, &sh("exit 8")).await.0, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_says_which_step_failed() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let failed = |spec: ExecSpec| {
        let agent = agent.clone();
        async move {
            match agent.exec(&spec, ExecIo::Null).await.map_err(runtime::Error::from) {
                Err(runtime::Error::Step { operation, object, source, .. }) => {
                    (operation.into_owned(), object, source.raw_os_error().unwrap())
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let told = failed(ExecSpec::new(["no-such-program"])).await;
    assert_eq!(told, ("execute".into(), "no-such-program".into(), 2));
    assert_eq!(failed(ExecSpec::new(["/etc/passwd"])).await.2, 13);
    let told = failed(ExecSpec { cwd: Some("/nowhere".into()), ..sh("true") }).await;
    assert_eq!(told, ("enter".into(), "/nowhere".into(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_arrives_and_its_end_too() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let (exec, stdio) = start(&agent, &ExecSpec::new(["sort"])).await;
    let Stdio::Pipes { stdin, stdout, stderr: _stderr } = stdio else { panic!("no pipes") };
    std::fs::File::from(stdin).write_all(b"b\na\n").unwrap();
    assert_eq!(all(stdout).await, b"a\nb\n");
    assert_eq!(exec.wait().await.unwrap(), 0);
    // Given descriptors: files.
    let mut out = tempfile::tempfile().unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let given = [&null, &out, &out].map(std::os::fd::AsFd::as_fd);
    let exec = agent.exec(&sh("echo kept"), ExecIo::Given(given)).await.unwrap();
    assert_eq!(exec.wait().await.unwrap(), 0);
    let mut text = String::new();
    std::io::Seek::rewind(&mut out).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(text, "kept\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_window_sizes_reach_the_program() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let (exec, _stdio) = start(&agent, &ExecSpec::new(["sleep", "1000"])).await;
    assert_eq!(exec.try_wait().unwrap(), None);
    exec.signal(15).unwrap();
    assert_eq!(timeout(SOON, exec.wait()).await.unwrap().unwrap(), 128 + 15);
    assert_eq!(exec.try_wait().unwrap(), Some(128 + 15));
    exec.signal(9).unwrap();

    let script = "trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.05; done";
    let spec = ExecSpec { tty: Some((100, 30)), ..sh(script) };
    let (exec, stdio) = start(&agent, &spec).await;
    let Stdio::Pty(terminal) = stdio else { panic!("no terminal") };
    let mut terminal = StdStream::from(terminal);
    let mut size = [0; 8];
    terminal.read_exact(&mut size).unwrap();
    assert_eq!(&size, b"30 100\r\n");
    exec.resize(120, 40).unwrap();
    let mut rest = String::new();
    terminal.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), exec.wait().await.unwrap()), ("40 120\r\n", 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_typed_at_a_terminal_are_obeyed() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let spec = ExecSpec { tty: Some((80, 24)), ..ExecSpec::new(["cat"]) };
    let (exec, stdio) = start(&agent, &spec).await;
    let Stdio::Pty(terminal) = stdio else { panic!("no terminal") };
    // Control and C: the terminal is the one that controls it.
    StdStream::from(terminal).write_all(b"\x03").unwrap();
    assert_eq!(timeout(SOON, exec.wait()).await.unwrap().unwrap(), 128 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_come_back_as_they_went() {
    const LEN: usize = 100_000_000;
    if !root() {
        return;
    }
    let agent = agent().await;
    let (exec, stdio) = start(&agent, &ExecSpec::new(["cat"])).await;
    let Stdio::Pipes { stdin, stdout, stderr: _stderr } = stdio else { panic!("no pipes") };
    let sent: Vec<u8> = (0..LEN).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    let begun = Instant::now();
    let send = async {
        let mut to = tokio::net::unix::pipe::Sender::from_owned_fd(stdin).unwrap();
        to.write_all(&sent).await.unwrap();
    };
    let (came, ()) = tokio::join!(all(stdout), send);
    eprintln!("100 MB there and back in {:?}", begun.elapsed());
    assert!(came == sent, "{} of {LEN} bytes came, or others", came.len());
    assert_eq!(exec.wait().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_sleeps_holds_up_nobody_else_and_loses_nothing() {
    const LEN: usize = 8_000_000;
    if !root() {
        return;
    }
    let agent = agent().await;
    let script = format!("head -c {LEN} /dev/zero; echo end >&2");
    let (exec, stdio) = start(&agent, &sh(&script)).await;
    let Stdio::Pipes { stdout, stderr, .. } = stdio else { panic!("no pipes") };
    for _ in 0..20 {
        assert_eq!(run(&agent, &sh("echo x")).await.1, "x\n");
    }
    assert_eq!(exec.try_wait().unwrap(), None, "a program waits for its reader");
    let (out, err) = tokio::join!(all(stdout), all(stderr));
    assert_eq!((out.len(), err.as_slice()), (LEN, b"end\n".as_slice()));
    assert_eq!(exec.wait().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_keep_the_output_open_are_not_waited_for() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let begun = Instant::now();
    let told = run(&agent, &sh("sleep 300 & echo said; exit 3")).await;
    assert_eq!(told, (3, "said\n".into(), String::new()));
    // One that never stops talking.
    let (exec, stdio) = start(&agent, &sh("yes & echo first; exit 5")).await;
    let Stdio::Pipes { stdout, .. } = stdio else { panic!("no pipes") };
    let (out, code) = tokio::join!(all(stdout), exec.wait());
    assert_eq!((code.unwrap(), out.starts_with(b"first") || out.starts_with(b"y")), (5, true));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    // It was told that nobody listens any more.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_stops_nothing() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let script = format!("head -c 3000000 /dev/zero; echo done > {}", mark.display());
    let (exec, stdio) = start(&agent, &sh(&script)).await;
    drop((exec, stdio));
    let end = Instant::now() + SOON;
    while std::fs::read_to_string(&mark).unwrap_or_default() != "done\n" {
        assert!(Instant::now() < end, "the program hangs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exec_takes_little_time() {
    if !root() {
        return;
    }
    let agent = agent().await;
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(run(&agent, &ExecSpec::new(["true"])).await.0, 0);
    }
    eprintln!("{:?} for one", begun.elapsed() / 50);
}
