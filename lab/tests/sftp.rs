//! The files of instances over SFTP: OpenSSH's own client, past the stock client's SSH server and past ours.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
};

use lab::{
    Client, Daemon, noise,
    sftp::{door, sftp},
    skip,
};

/// All that is done to files, by one client.
fn a_round(daemon: &Daemon, how: &[&str]) {
    let (from, back) = (daemon.scratch().join("from"), daemon.scratch().join("back"));
    let big = noise(3 << 20);
    fs::write(&from, &big).unwrap();
    let (from, back) = (from.display(), back.display());
    let lines = format!(
        "mkdir /srv/new\nput {from} /srv/new/one\nget /srv/new/one {back}\nchmod 640 /srv/new/one\n\
         rename /srv/new/one /srv/new/two\nsymlink two /srv/new/link\nls -l /srv/new\n"
    );
    let said = sftp(how, &lines).text();
    assert!(fs::read(daemon.scratch().join("back")).unwrap() == big, "it came back changed");
    assert!(said.contains("-rw-r-----") && said.contains("lrwxrwxrwx"), "{said}");
    assert!(said.contains(&(3 << 20).to_string()), "{said}");
    sftp(how, "get /no/such/file /dev/null\n").fails_with("not found");
    sftp(how, "rmdir /srv/new\n").fails_with("failure");
    sftp(how, "mkdir /srv/new\n").fails();
    // A link leads where the instance sees it lead.
    let secret = daemon.scratch().join("secret");
    fs::write(&secret, "outside").unwrap();
    let lines = format!("symlink {} /srv/out\nget /srv/out {back}\n", secret.display());
    sftp(how, &lines).fails_with("No such file");
    sftp(how, "rm /srv/out\nrm /srv/new/link\nrm /srv/new/two\nrmdir /srv/new\n").ok();
}

#[test]
fn files_over_sftp_of_one_that_runs_and_of_one_that_does_not() {
    let Some(daemon) = Daemon::ready() else { return };
    if !lab::installed("sftp") {
        return skip("not installed: sftp");
    }
    daemon.busybox("web");
    daemon.sh("web", "mkdir -p /srv; echo inside > /srv/note").ok();
    let door = door(&daemon, "web");
    let how = ["-D", &door.to_string_lossy()];
    a_round(&daemon, &how);
    // The same by the stock client's own server.
    let mut mount = stock(&daemon, "web");
    let port = mount.1.to_string();
    let options =
        "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oPubkeyAuthentication=no";
    let mut words: Vec<&str> = options.split(' ').collect();
    words.extend(["-P", &port, "127.0.0.1"]);
    a_round(&daemon, &words);
    mount.0.kill().and_then(|()| mount.0.wait()).unwrap();

    daemon.cli(["stop", "web", "--force"]).ok();
    a_round(&daemon, &how);
    // One that is open hinders no start, and goes on after it.
    let mut open = lab::program(&["sftp", "-q", "-b", "-", how[0], how[1]]);
    let mut open = open.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, output) = (open.stdin.take().unwrap(), open.stdout.take().unwrap());
    let mut output = BufReader::new(output).lines();
    let mut until = |words: &str| {
        assert!(output.any(|line| line.unwrap().contains(words)), "it does not say {words}");
    };
    input.write_all(b"ls -l /srv/note\n").unwrap();
    until("/srv/note");
    daemon.cli(["start", "web"]).ok();
    daemon.sh("web", "echo later > /srv/later").ok();
    input.write_all(b"ls -l /srv/later\n").unwrap();
    until("/srv/later");
    drop(input);
    assert!(open.wait().unwrap().success());

    let said = daemon.try_request("GET", "/1.0/instances/web/sftp", &[], b"").unwrap();
    assert_eq!(said.status, 400, "it is no SFTP that is asked for");
    daemon.cli(["file", "mount", "none", "--stdio"]).fails_with("not found");
}

/// The stock client's SSH server, and its port.
fn stock(daemon: &Daemon, name: &str) -> (Child, u16) {
    let mut command = daemon.command(Client::Lxc);
    command.args(["file", "mount", name, "--listen", "127.0.0.1:0", "--no-auth"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    // It tells of who comes, and ends when nobody reads that.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (child, port.unwrap_or_else(|| panic!("no port: {line}")))
}
