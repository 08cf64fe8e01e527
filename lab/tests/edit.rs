//! `edit` at a terminal: the user's editor, what he wrote checked, and offered again when it is wrong.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use lab::{Background, Client, Daemon, Run};

/// An editor that does to its file what a line of shell says: `$1` the file, `$n` which time it is.
fn editor(daemon: &Daemon, line: &str) -> PathBuf {
    let (path, count) = (daemon.scratch().join("editor"), daemon.scratch().join("count"));
    let count = count.display();
    let text = format!("#!/bin/sh\necho x >> {count}\nn=$(wc -l < {count})\n{line}\n");
    let written = fs::write(&path, text);
    let written = written.and_then(|()| fs::remove_file(daemon.scratch().join("count")).or(Ok(())));
    let mode = fs::Permissions::from_mode(0o755);
    written.and_then(|()| fs::set_permissions(&path, mode)).unwrap_or_else(|e| panic!("{e}"));
    path
}

/// Runs our client on a terminal of its own, with an editor and keys that are pressed.
fn on_terminal(daemon: &Daemon, words: &str, line: &str, keys: &str) -> Run {
    let client = daemon.command(Client::Cli);
    let command = format!("{} {words}", client.get_program().to_string_lossy());
    let mut script =
        lab::program(&["script", "--quiet", "--return", "--command", &command, "/dev/null"]);
    for (key, value) in client.get_envs() {
        match value {
            Some(value) => script.env(key, value),
            None => script.env_remove(key),
        };
    }
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").env("TMPDIR", daemon.scratch());
    script.env("VISUAL", "").env("EDITOR", editor(daemon, line));
    Background::start(script, keys.as_bytes().to_vec()).wait()
}

/// Texts that were kept.
fn kept(daemon: &Daemon) -> Vec<PathBuf> {
    let entries = fs::read_dir(daemon.scratch()).unwrap_or_else(|e| panic!("{e}"));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect()
}

#[test]
fn what_is_written_in_the_editor_is_made_so() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let head = daemon.scratch().join("head");
    let line = format!(
        "cp \"$1\" {}; sed -i 's/^config:.*/config:\\n  user.a: \"7\"/' \"$1\"",
        head.display()
    );
    for (words, get) in [
        ("profile edit default", ["profile", "get", "default", "user.a"]),
        ("network edit mcbr0", ["network", "get", "mcbr0", "user.a"]),
        ("storage edit default", ["storage", "get", "default", "user.a"]),
        ("project edit default", ["project", "get", "default", "user.a"]),
        ("config edit x", ["config", "get", "x", "user.a"]),
    ] {
        let run = on_terminal(&daemon, words, &line, "").ok();
        let text = fs::read_to_string(&head).unwrap_or_else(|e| panic!("{e}"));
        assert!(
            text.starts_with("# This is the ") && text.contains("\nconfig:"),
            "{words}: {text}"
        );
        assert_eq!(daemon.cli(get).text(), "7", "{words}: {run}");
    }
    // The rest of it is as it was.
    assert_eq!(daemon.status("x"), "Running");
    daemon.sh("x", "true").ok();
    assert_eq!(kept(&daemon), Vec::<PathBuf>::new());
}

#[test]
fn what_is_wrong_is_said_and_can_be_written_again() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["profile", "create", "p"]).ok();
    // First no YAML, then a key that is none, then right.
    let line = r#"case $n in
        1) echo 'config: [' > "$1";;
        2) printf 'config:\n  limits.memroy: 1GiB\n' > "$1";;
        *) sed -i 's/memroy/memory/' "$1";;
    esac"#;
    let profile = "profile edit p";
    let run = on_terminal(&daemon, profile, line, "\n\n").ok();
    let shown = run.shown();
    assert!(shown.contains("cannot understand the YAML") && shown.contains("memroy"), "{run}");
    assert_eq!(daemon.cli(["profile", "get", "p", "limits.memory"]).text(), "1GiB");
    assert_eq!(kept(&daemon), Vec::<PathBuf>::new());
    // Who gives up finds what he wrote.
    let run = on_terminal(&daemon, profile, "echo 'config: [' > \"$1\"", "");
    assert_eq!(run.status, 1, "{run}");
    let kept = kept(&daemon);
    assert_eq!(kept.len(), 1, "{run}");
    assert!(run.shown().contains(&*kept[0].to_string_lossy()), "{run}");
    assert_eq!(fs::read_to_string(&kept[0]).ok().as_deref(), Some("config: [\n"));
}

#[test]
fn an_editor_that_changes_nothing_or_fails_changes_nothing() {
    let Some(daemon) = Daemon::ready() else { return };
    let before = daemon.get("/1.0/profiles/default");
    for line in ["true", ": > \"$1\"", "sed -i '/^[^#]/d' \"$1\""] {
        let run = on_terminal(&daemon, "profile edit default", line, "").ok();
        assert!(run.shown().contains("Nothing was changed"), "{line}: {run}");
    }
    let run =
        on_terminal(&daemon, "profile edit default", "echo 'config: {}' > \"$1\"; exit 3", "");
    assert_eq!(run.status, 1, "{run}");
    assert!(run.shown().contains("exit status: 3"), "{run}");
    assert_eq!(daemon.get("/1.0/profiles/default"), before);
    // Somebody else was faster.
    let other = daemon.command(Client::Cli);
    let other = format!(
        "MICROCLOUD_DIR={} {} profile set default user.b=1 && sed -i 's/^description:.*/description: mine/' \"$1\"",
        daemon.folder().display(),
        other.get_program().to_string_lossy()
    );
    let run = on_terminal(&daemon, "profile edit default", &other, "\n");
    assert_eq!(run.status, 1, "{run}");
    assert!(run.shown().contains("Somebody else changed it"), "{run}");
    assert_eq!(kept(&daemon).len(), 1, "what he wrote is there: {run}");
}

#[test]
fn without_a_terminal_it_is_read_from_standard_input() {
    let Some(daemon) = Daemon::ready() else { return };
    let yaml = b"description: from a pipe\nconfig:\n  user.c: 1\n".to_vec();
    daemon.run_with(Client::Cli, &["profile", "create", "p"], Vec::new()).ok();
    daemon.run_with(Client::Cli, &["profile", "edit", "p"], yaml).ok();
    assert_eq!(daemon.cli(["profile", "get", "p", "user.c"]).text(), "1");
    let said = daemon.run_with(Client::Cli, &["profile", "edit", "p"], b"config: [".to_vec());
    said.fails_with("cannot understand the YAML");
}
