//! Programs inside an instance: what goes in, what comes out, how it ends.

use std::{thread, time::Duration};

use lab::{Client, Daemon, noise, until};
use rustix::process::Signal;

/// Runs a client's `exec` on a terminal of its own, whose settings `stty` makes; what it showed.
fn on_terminal(daemon: &Daemon, client: Client, stty: &str, words: &str, keys: &str) -> lab::Run {
    let program = daemon.command(client).get_program().to_string_lossy().into_owned();
    let line = format!("stty {stty}; {program} exec x -- {words}");
    let mut command =
        lab::program(&["script", "--quiet", "--return", "--command", &line, "/dev/null"]);
    for (key, value) in daemon.command(client).get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.env("TERM", "xterm").env("SHELL", "/bin/sh");
    lab::Background::start(command, keys.as_bytes().to_vec()).wait()
}

#[test]
fn exit_statuses() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let status = |line: &str| daemon.run(client, &["exec", "x", "--", "sh", "-c", line]).status;
        assert_eq!(status("true"), 0);
        assert_eq!(status("exit 42"), 42);
        assert_eq!(status("exit 255"), 255);
        assert_eq!(status("kill -9 $$"), 137, "{client:?}: killed");
        assert_eq!(status("kill -TERM $$"), 143, "{client:?}: terminated");
        let missing = daemon.run(client, &["exec", "x", "--", "no-such-program"]);
        assert_eq!(missing.status, 127, "{client:?}: {missing}");
        let folder = daemon.run(client, &["exec", "x", "--", "/etc"]);
        assert_eq!(folder.status, 126, "{client:?}: a folder is no program: {folder}");
    }
}

#[test]
fn output_and_complaints_stay_apart() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let run = daemon.run(client, &["exec", "x", "--", "sh", "-c", "echo out; echo err >&2"]);
        assert_eq!((run.shown().as_str(), run.stderr.as_str()), ("out\n", "err\n"), "{client:?}");
    }
}

#[test]
fn the_end_of_input_arrives() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        for input in ["", "x\n", "no line end"] {
            let words = ["exec", "x", "--", "cat"];
            let run = daemon.run_with(client, &words, input.as_bytes().to_vec());
            assert_eq!(run.ok().shown(), input, "{client:?}");
        }
        // A program that reads nothing must not hang on what it is given.
        let words = ["exec", "x", "--", "true"];
        daemon.run_with(client, &words, noise(1 << 20)).ok();
    }
}

#[test]
fn fifty_megabytes_there_and_back() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let bytes = noise(50 << 20);
    for client in Client::BOTH {
        let run = daemon.run_with(client, &["exec", "x", "--", "cat"], bytes.clone());
        assert_eq!(run.status, 0, "{client:?}: {}", run.stderr);
        assert!(run.stdout == bytes, "{client:?}: {} bytes came back changed", run.stdout.len());
    }
}

#[test]
fn the_last_bytes_of_short_programs_are_never_lost() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        thread::scope(|scope| {
            for worker in 0..4 {
                let daemon = &daemon;
                scope.spawn(move || {
                    for turn in 0..25 {
                        let line = format!("echo out {worker} {turn}; echo err {turn} >&2");
                        let run = daemon.run(client, &["exec", "x", "--", "sh", "-c", &line]).ok();
                        assert_eq!(run.shown(), format!("out {worker} {turn}\n"), "{client:?}");
                        assert_eq!(run.stderr, format!("err {turn}\n"), "{client:?}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_terminal_has_the_size_of_the_users() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let run = on_terminal(&daemon, client, "cols 123 rows 45", "stty size", "");
        assert!(run.shown().contains("45 123"), "{client:?}: {run}");
        let run = on_terminal(&daemon, client, "sane", "sh -c 'tty; echo $TERM; exit 3'", "");
        assert!(run.shown().contains("/dev/pts/"), "{client:?}: {run}");
        assert!(run.shown().contains("xterm"), "{client:?}: {run}");
        assert_eq!(run.status, 3, "{client:?}: {run}");
    }
}

#[test]
fn keys_of_a_terminal_reach_the_program() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let run = on_terminal(&daemon, client, "sane", "sh", "echo a$((40+2))b\nexit 5\n");
        assert!(run.shown().contains("a42b"), "{client:?}: {run}");
        assert_eq!(run.status, 5, "{client:?}: {run}");
    }
}

#[test]
fn signals_of_the_client_reach_the_program() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let line = "trap 'echo told; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
        let file = format!("/tmp/{client:?}");
        let line = line.replace("echo ready", &format!("touch {file}"));
        let exec = daemon.begin(client, &["exec", "x", "--", "sh", "-c", &line], Vec::new());
        until("the program runs", || {
            (daemon.sh("x", &format!("test -e {file}")).status == 0).then_some(())
        });
        exec.signal(Signal::TERM);
        let run = exec.wait();
        assert_eq!((run.shown().as_str(), run.status), ("told\n", 9), "{client:?}: {run}");
    }
}

#[test]
fn a_client_that_goes_takes_its_program_along() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let words = ["exec", "x", "--", "cat"];
    let mut command = daemon.command(Client::Cli);
    command.args(words).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut client = command.spawn().unwrap_or_else(|e| panic!("{e}"));
    let cats = || daemon.sh("x", "pidof cat | wc -w").text();
    until("the program runs", || (cats() == "1").then_some(()));
    client.kill().unwrap_or_else(|e| panic!("{e}"));
    client.wait().unwrap_or_else(|e| panic!("{e}"));
    until("it is gone", || (cats() == "0").then_some(()));
}

#[test]
fn user_group_folder_and_variables() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let words = ["exec", "x", "--user", "1000", "--group", "100", "--cwd", "/var/log"];
        let show = ["--env", "A=b=c d", "--", "sh", "-c", "id -u; id -g; pwd; echo \"$A\""];
        let text = daemon.run(client, &[&words[..], &show[..]].concat()).text();
        assert_eq!(text, "1000\n100\n/var/log\nb=c d", "{client:?}");
        let text = daemon.run(client, &["exec", "x", "--", "sh", "-c", "echo $HOME $USER"]).text();
        assert_eq!(text, "/root root", "{client:?}");
    }
    daemon.cli(["config", "set", "x", "environment.COLOUR=blue"]).ok();
    assert_eq!(daemon.sh("x", "echo $COLOUR").text(), "blue");
}

#[test]
fn what_runs_outlives_the_daemon() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let line = "touch /tmp/up; sleep 1; echo kept > /tmp/done";
    let mut execs = Vec::new();
    for client in Client::BOTH {
        let line = line.replace("/tmp/", &format!("/tmp/{client:?}-"));
        execs.push(daemon.begin(client, &["exec", "x", "--", "sh", "-c", &line], Vec::new()));
    }
    until("both run", || {
        (daemon.sh("x", "test -e /tmp/Cli-up -a -e /tmp/Lxc-up").status == 0).then_some(())
    });
    daemon.kill9();
    for exec in execs {
        let run = exec.limit(Duration::from_secs(20)).wait();
        assert_ne!(run.status, 0, "a client whose server dies says so: {run}");
    }
    daemon.launch();
    until("both went on to their end", || {
        (daemon.sh("x", "test -e /tmp/Cli-done -a -e /tmp/Lxc-done").status == 0).then_some(())
    });
}

/// A client of the kind that opens no control socket, as pylxd: it takes the output of a program, and its status.
const STEERLESS: &str = r#"
import base64, json, os, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    return s
def ask(method, path, body=''):
    s = connect()
    s.sendall(f'{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode())
    said = s.makefile('rb').read().split(b'\r\n\r\n', 1)[1]
    return json.loads(said)
command = ['sh', '-c', 'echo said; exit 3']
begun = ask('POST', '/1.0/instances/x/exec', json.dumps({'command': command, 'wait-for-websocket': True}))
fds, heard = begun['metadata']['metadata']['fds'], []
for name in '012':
    s = connect()
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = f'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}'
    s.sendall(f'GET {begun["operation"]}/websocket?secret={fds[name]} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n'.encode())
    heard.append(s)
done = ask('GET', begun['operation'] + '/wait?timeout=10')
heard[1].settimeout(10)
said = b''
while b'said\n' not in said:
    said += heard[1].recv(4096)
print(done['metadata']['metadata'].get('return'))
"#;

#[test]
fn a_client_need_not_steer() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let socket = daemon.folder().join("unix.socket");
    let command = lab::program(&["python3", "-c", STEERLESS, &socket.to_string_lossy()]);
    assert_eq!(lab::Background::start(command, Vec::new()).wait().text(), "3");
}
