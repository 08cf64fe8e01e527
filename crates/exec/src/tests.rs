//! The runner against real programs.

use std::cell::RefCell;
use std::error::Error as _;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::*;

fn sh(script: &str) -> Tool<'static> {
    Tool::new("sh", "dash").args(["-c", script])
}

fn go(tool: Tool<'_>) -> Result<Output> {
    run(tool, &Control::none())
}

#[test]
fn success_and_failure() {
    assert_eq!(go(Tool::new("true", "coreutils")).unwrap().code, 0);
    let error = go(Tool::new("false", "coreutils")).unwrap_err();
    assert_eq!(error.to_string(), "`false` failed with exit status: 1");
}

#[test]
fn a_failure_names_command_status_and_last_words() {
    let error = go(sh("for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i >&2; done; exit 3"));
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("`sh -c 'for i in"), "{text}");
    assert!(text.contains("exit status: 3: line 3; line 4;"), "{text}");
    assert!(text.ends_with("line 10"), "{text}");
}

#[test]
fn a_missing_program_says_what_to_install() {
    let error = go(Tool::new("no-such-program", "no-such-package")).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "program no-such-program is not installed: apt install no-such-package");
    assert!(installed("sh") && !installed("no-such-program"));
}

#[test]
fn other_exit_codes_can_be_accepted() {
    assert_eq!(go(sh("exit 2").accept(&[0, 2])).unwrap().code, 2);
    assert!(go(sh("exit 1").accept(&[0, 2])).is_err());
}

#[test]
fn input_larger_than_a_pipe_comes_back() {
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    assert_eq!(go(Tool::new("cat", "coreutils").input(bytes.clone())).unwrap().stdout, bytes);
}

#[test]
fn input_that_is_not_read_is_no_failure() {
    go(Tool::new("true", "coreutils").input(vec![0; 1 << 20])).unwrap();
}

#[test]
fn without_input_the_program_sees_its_end_at_once() {
    assert!(go(Tool::new("cat", "coreutils")).unwrap().stdout.is_empty());
}

#[test]
fn files_can_stand_for_input_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, "hello").unwrap();
    let tool = Tool::new("cat", "coreutils")
        .input_file(File::open(&from).unwrap())
        .output_file(File::create(&to).unwrap());
    assert!(go(tool).unwrap().stdout.is_empty());
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "hello");
}

#[test]
fn the_environment_is_minimal() {
    let text = go(Tool::new("env", "coreutils").env("EXTRA", "1")).unwrap().text();
    let mut names: Vec<&str> = text.lines().filter_map(|l| Some(l.split_once('=')?.0)).collect();
    names.retain(|name| *name != "TMPDIR");
    names.sort_unstable();
    assert_eq!(names, ["EXTRA", "HOME", "LC_ALL", "PATH"]);
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there was something to leave out");
    let text = go(Tool::new("env", "coreutils").inherit(&["CARGO_MANIFEST_DIR"])).unwrap().text();
    assert!(text.contains("CARGO_MANIFEST_DIR="));
}

#[test]
fn too_much_output_is_an_error_and_ends_the_program() {
    let started = Instant::now();
    let error = go(Tool::new("yes", "coreutils").stdout_limit(100_000)).unwrap_err();
    assert_eq!(error.to_string(), "`yes` wrote more than 100000 bytes");
    assert!(started.elapsed() < Duration::from_secs(10));
    let error = go(sh("echo 12345").stdout_limit(5)).unwrap_err();
    assert!(matches!(error, Error::TooMuchOutput { limit: 5, .. }), "a short run counts too");
}

#[test]
fn lines_arrive_while_it_runs() {
    let seen = RefCell::new(Vec::new());
    let control = Control::none();
    let tool = sh("echo one; echo two >&2; printf 'three\\rfour'; exec sleep 60").on_line(|line| {
        seen.borrow_mut().push(line.to_owned());
        if line == "three" {
            control.cancel();
        }
    });
    assert!(run(tool, &control).unwrap_err().is_cancelled());
    let mut seen = seen.into_inner();
    seen.sort_unstable();
    assert_eq!(seen, ["four", "one", "three", "two"]);
}

#[test]
fn a_timeout_kills_the_whole_group() {
    let (mut read, write) = std::io::pipe().unwrap();
    let started = Instant::now();
    let tool = sh("echo last words >&2; sleep 61 & sleep 62").output_file(OwnedFd::from(write));
    let error = go(tool.timeout(Duration::from_millis(300))).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("was stopped after 0.3 s: last words"), "{text}");
    // The pipe's end shows that no child holds it any more.
    assert_eq!(read.read(&mut [0; 1]).unwrap(), 0);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn who_ignores_the_polite_signal_is_killed() {
    let started = Instant::now();
    let tool = sh("trap '' TERM; while :; do sleep 1; done")
        .timeout(Duration::from_millis(200))
        .grace(Duration::from_millis(200));
    assert!(matches!(go(tool), Err(Error::Timeout { .. })));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn who_wants_to_clean_up_has_time_to() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'touch cleaned; exit 1' TERM; while :; do sleep 0.1; done";
    let tool = sh(script).folder(folder.path()).timeout(Duration::from_millis(300));
    assert!(matches!(go(tool), Err(Error::Timeout { .. })));
    assert!(folder.path().join("cleaned").exists());
}

#[test]
fn cancelling_from_another_thread_ends_it() {
    let control = Control::none();
    let other = control.clone();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            other.cancel();
        });
        let error = run(sh("sleep 63"), &control).unwrap_err();
        assert!(error.is_cancelled());
        assert!(error.source().is_some_and(|source| source.is::<Cancelled>()));
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    let error = run(sh("touch /tmp/exec-must-not-exist"), &control).unwrap_err();
    assert!(error.is_cancelled(), "a cancelled handle starts nothing");
}

#[test]
fn a_background_child_does_not_hold_up_the_result() {
    let started = Instant::now();
    let output = go(sh("sleep 5 & echo done")).unwrap();
    assert_eq!(output.text(), "done\n");
    assert!(started.elapsed() < Duration::from_secs(4));
}
