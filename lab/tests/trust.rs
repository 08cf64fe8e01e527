//! The door that other machines come through, and who is let in: with the stock client.

use lab::{Client, Daemon, Run, host, program, until};

/// Asks over the network with curl, as whoever has this certificate and key (a path without its end).
fn curl(daemon: &Daemon, who: Option<&str>, port: u16, path: &str) -> serde_json::Value {
    let url = format!("https://127.0.0.1:{port}{path}");
    let mut words = vec!["curl", "-sk", "--max-time", "20", &url];
    let (certificate, key) =
        (format!("{}.crt", who.unwrap_or("")), format!("{}.key", who.unwrap_or("")));
    if who.is_some() {
        words.extend(["--cert", &certificate, "--key", &key]);
    }
    serde_json::from_slice(&daemon.netns().run(&words).stdout).unwrap_or_default()
}

/// The stock client of somebody else: settings of its own, and only the network to come by.
fn lxc(daemon: &Daemon, home: &str, words: &[&str]) -> Run {
    let home = daemon.scratch().join(home);
    let made = std::fs::create_dir_all(&home);
    made.unwrap_or_else(|e| panic!("cannot make {home:?}: {e}"));
    let mut command = daemon.netns().command("env");
    command
        .arg(format!("LXD_CONF={}", home.display()))
        .arg("LXD_DIR=/nowhere")
        .arg("lxc")
        .args(words);
    lab::Background::start(command, Vec::new()).wait()
}

#[test]
fn the_door_goes_where_the_option_says() {
    let Some(mut daemon) = Daemon::start() else { return };
    let set =
        |daemon: &Daemon, value: &str| daemon.lxc(["config", "set", "core.https_address", value]);
    let answers = |daemon: &Daemon, port| curl(daemon, None, port, "/1.0")["status"] == "Success";
    assert!(!answers(&daemon, 8443));
    set(&daemon, "127.0.0.1").ok();
    assert!(answers(&daemon, 8443));
    set(&daemon, "127.0.0.1:9443").ok();
    assert!(answers(&daemon, 9443) && !answers(&daemon, 8443));
    // One that is taken: said clearly, and all stays as it was.
    daemon.lxc(["config", "set", "core.storage_buckets_address", "127.0.0.1:9555"]).ok();
    set(&daemon, "127.0.0.1:9555").fails_with("cannot listen on 127.0.0.1:9555");
    assert!(answers(&daemon, 9443));
    assert_eq!(daemon.lxc(["config", "get", "core.https_address"]).text(), "127.0.0.1:9443");

    let server = daemon.get("/1.0");
    let environment = &server["environment"];
    assert_eq!(environment["addresses"], serde_json::json!(["127.0.0.1:9443"]));
    let fingerprint = environment["certificate_fingerprint"].as_str().unwrap_or_default();
    let pem = daemon.folder().join("server.crt");
    let said = host(&[
        "openssl",
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        &pem.to_string_lossy(),
    ]);
    let said = said.text().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase();
    assert_eq!(said, fingerprint);

    // An address that is not there when the daemon starts is waited for.
    daemon.stop();
    daemon.netns().run(&["ip", "addr", "add", "10.99.0.1/32", "dev", "lo"]).ok();
    daemon.launch();
    set(&daemon, "10.99.0.1:9443").ok();
    daemon.stop();
    daemon.netns().run(&["ip", "addr", "del", "10.99.0.1/32", "dev", "lo"]).ok();
    daemon.launch();
    until("a warning that nobody listens", || {
        daemon.log().contains("cannot listen on 10.99.0.1:9443").then_some(())
    });
    set(&daemon, "").ok();
    assert!(!answers(&daemon, 9443));
}

#[test]
fn strangers_see_little_and_a_token_works_once() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    let stranger = curl(&daemon, None, 8443, "/1.0");
    assert_eq!(stranger["metadata"]["auth"], "untrusted");
    assert!(
        stranger["metadata"]["environment"].is_null() && stranger["metadata"]["config"].is_null()
    );
    for path in [
        "/1.0/instances",
        "/1.0/certificates",
        "/1.0/events",
        "/1.0/operations",
        "/1.0/projects",
        "/1.0/storage-pools",
        "/1.0/networks",
        "/1.0/profiles",
        "/1.0/resources",
    ] {
        assert_eq!(curl(&daemon, None, 8443, path)["error_code"], 403, "{path}");
    }
    // Only public images are there for it.
    let images = |who| curl(&daemon, who, 8443, "/1.0/images")["metadata"].as_array().map(Vec::len);
    let image = daemon.get("/1.0/images?recursion=1")[0]["fingerprint"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(images(None), Some(0));
    assert_eq!(curl(&daemon, None, 8443, &format!("/1.0/images/{image}"))["error_code"], 404);
    assert_eq!(curl(&daemon, None, 8443, "/1.0/images/aliases/busybox")["error_code"], 404);
    let body = r#"{"public": true}"#;
    daemon.request("PATCH", &format!("/1.0/images/{image}"), body).ok();
    assert_eq!(images(None), Some(1));

    let token = daemon.lxc(["config", "trust", "add", "--name", "laptop", "-q"]).text();
    let token = token.lines().last().unwrap_or_default().to_owned();
    assert!(daemon.lxc(["config", "trust", "list-tokens"]).text().contains("laptop"));
    lxc(&daemon, "laptop", &["remote", "add", "pi", &token]).ok();
    assert!(lxc(&daemon, "laptop", &["list", "pi:"]).text().contains("NAME"));
    // Spent is spent.
    lxc(&daemon, "thief", &["remote", "add", "pi", &token]).fails();
    let known = daemon.lxc(["config", "trust", "list", "--format", "csv"]).text();
    assert!(known.contains("laptop") && known.lines().count() == 1, "{known}");

    // The other way: the token as a password.
    let token = daemon.cli(["config", "trust", "add", "--name", "desk", "-q"]).text();
    let add = [
        "remote",
        "add",
        "pi",
        "https://127.0.0.1:8443",
        "--accept-certificate",
        "--password",
        &token,
    ];
    lxc(&daemon, "desk", &add).ok();
    daemon.cli(["config", "trust", "list"]).ok();

    // Whoever is trusted no more is a stranger again.
    let listed = daemon.get("/1.0/certificates?recursion=1");
    let laptop =
        listed.as_array().and_then(|all| all.iter().find(|one| one["name"] == "laptop")).cloned();
    let laptop = laptop.unwrap()["fingerprint"].as_str().unwrap_or_default()[..12].to_owned();
    let edited = daemon
        .lxc(["config", "trust", "show", &laptop])
        .text()
        .replace("name: laptop", "name: old");
    daemon.run_with(Client::Lxc, &["config", "trust", "edit", &laptop], edited.into_bytes()).ok();
    assert!(daemon.lxc(["config", "trust", "list"]).text().contains("old"));
    daemon.lxc(["config", "trust", "remove", &laptop]).ok();
    lxc(&daemon, "laptop", &["list", "pi:"]).fails();
    lxc(&daemon, "desk", &["list", "pi:"]).ok();
}

#[test]
fn a_remote_is_as_good_as_the_socket() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    let token = daemon.cli(["config", "trust", "add", "--name", "laptop", "-q"]).text();
    let far = |words: &[&str]| lxc(&daemon, "laptop", words);
    far(&["remote", "add", "pi", &token]).ok();
    far(&["launch", "pi:busybox", "pi:web"]).ok();
    assert!(far(&["list", "pi:", "--format", "csv"]).text().starts_with("web,RUNNING"));
    assert_eq!(far(&["exec", "pi:web", "--", "echo", "hello"]).text(), "hello");
    assert_eq!(far(&["exec", "pi:web", "--", "sh", "-c", "exit 7"]).status, 7);
    let file = daemon.scratch().join("noise");
    let noise = lab::noise(3 << 20);
    std::fs::write(&file, &noise).unwrap();
    far(&["file", "push", &file.to_string_lossy(), "pi:web/root/noise"]).ok();
    assert_eq!(far(&["file", "pull", "pi:web/root/noise", "-"]).ok().stdout, noise);
    assert_eq!(far(&["exec", "pi:web", "--", "cat", "/root/noise"]).ok().stdout, noise);
    far(&["console", "pi:web", "--show-log"]).ok();
    // Who did what is told by the certificate.
    let monitor = {
        let mut command =
            program(&["timeout", "3", "lxc", "monitor", "--type", "lifecycle", "--format", "json"]);
        command.env("LXD_DIR", daemon.folder()).env("HOME", daemon.home());
        lab::Background::start(command, Vec::new())
    };
    std::thread::sleep(std::time::Duration::from_millis(500));
    far(&["config", "set", "pi:web", "user.note=x"]).ok();
    let told = monitor.wait().shown();
    let fingerprint = daemon.get("/1.0/certificates?recursion=1")[0]["fingerprint"].clone();
    assert!(told.contains(fingerprint.as_str().unwrap_or("?")), "{told}");
    far(&["delete", "pi:web", "--force"]).ok();
}

#[test]
fn a_restricted_client_has_its_projects_and_nothing_else() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    daemon.lxc(["project", "create", "kids"]).ok();
    daemon
        .lxc([
            "profile",
            "device",
            "add",
            "default",
            "root",
            "disk",
            "path=/",
            "pool=default",
            "--project",
            "kids",
        ])
        .ok();
    daemon.busybox("mine");
    let add =
        ["config", "trust", "add", "--name", "kid", "--restricted", "--projects", "kids", "-q"];
    let token = daemon.lxc(add).text();
    let token = token.lines().last().unwrap_or_default();
    let kid = |words: &[&str]| lxc(&daemon, "kid", words);
    kid(&["remote", "add", "pi", token]).ok();
    kid(&["remote", "switch", "pi"]).ok();
    assert_eq!(kid(&["project", "list", "--format", "csv"]).text().lines().count(), 1);
    kid(&["project", "switch", "pi:kids"]).ok();
    daemon.cli(["image", "build", "busybox", "--alias", "busybox", "--project", "kids"]).ok();
    kid(&["launch", "busybox", "toy"]).ok();
    assert_eq!(kid(&["exec", "toy", "--", "echo", "hi"]).text(), "hi");
    assert!(kid(&["storage", "list"]).text().contains("default"));
    assert!(!kid(&["storage", "show", "default"]).text().contains("source"));
    let all = kid(&["list", "--all-projects", "--format", "csv"]);
    assert!(!all.shown().contains("mine"), "{all}");
    for words in [
        &["list", "--project", "default"][..],
        &["exec", "mine", "--project", "default", "--", "true"],
        &["config", "set", "user.x", "y"],
        &["config", "trust", "add", "--name", "friend"],
        &["storage", "create", "more", "dir"],
        &["storage", "set", "default", "user.x=y"],
        &["network", "create", "net0"],
        &["network", "set", "mcbr0", "user.x=y"],
        &["project", "create", "more"],
        &["project", "set", "kids", "user.x=y"],
        &["project", "delete", "kids"],
        &["profile", "show", "default", "--project", "default"],
        &["copy", "toy", "stolen", "--target-project", "default"],
        &["move", "toy", "stolen", "--target-project", "default"],
        &["info", "--resources"],
    ] {
        kid(words).fails();
    }
    let steal = r#"{"name":"stolen","source":{"type":"copy","source":"mine","project":"default"}}"#;
    let home = daemon.scratch().join("kid/client");
    let home = home.to_string_lossy();
    let post = |path: &str, body: &str| {
        let url = format!("https://127.0.0.1:8443{path}");
        let (crt, key) = (format!("{home}.crt"), format!("{home}.key"));
        let words = ["curl", "-sk", "--cert", &crt, "--key", &key, "-d", body, &url];
        serde_json::from_slice::<serde_json::Value>(&daemon.netns().run(&words).stdout).unwrap()
    };
    assert_eq!(post("/1.0/instances?project=kids", steal)["error_code"], 403);
    let publish = r#"{"source":{"type":"instance","name":"mine","project":"default"}}"#;
    assert_eq!(post("/1.0/images?project=kids", publish)["error_code"], 403);
    for path in ["events?project=kids&type=logging", "events?all-projects=true", "events"] {
        let answer = curl(&daemon, Some(&home), 8443, &format!("/1.0/{path}"));
        assert_eq!(answer["error_code"], 403, "{path}");
    }
    let server = curl(&daemon, Some(&home), 8443, "/1.0");
    assert_eq!(
        (&server["metadata"]["auth"], &server["metadata"]["config"]),
        (&"trusted".into(), &serde_json::Value::Null)
    );
    // Nor the tokens of others.
    daemon.lxc(["config", "trust", "add", "--name", "other", "-q"]).ok();
    assert!(
        !curl(&daemon, Some(&home), 8443, "/1.0/operations?project=kids&recursion=1")
            .to_string()
            .contains("secret")
    );
    let mine = curl(&daemon, Some(&home), 8443, "/1.0/certificates");
    assert_eq!(mine["metadata"].as_array().map(Vec::len), Some(1));
    kid(&["delete", "toy", "--force"]).ok();
    for image in daemon.get("/1.0/images?project=kids&recursion=1").as_array().into_iter().flatten()
    {
        let fingerprint = image["fingerprint"].as_str().unwrap_or_default();
        daemon.lxc(["image", "delete", fingerprint, "--project", "kids"]).ok();
    }
}

#[test]
fn our_client_has_servers_by_name() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    // Somebody on another machine: own settings, no socket.
    let home = daemon.scratch().join("far");
    let far = |words: &[&str]| {
        let mut command = daemon.netns().command("env");
        command.args(["-u", "XDG_CONFIG_HOME", "MICROCLOUD_DIR=/nowhere"]);
        command.arg(format!("HOME={}", home.display())).arg(lab::binary()).args(words);
        lab::Background::start(command, Vec::new()).wait()
    };
    far(&["list", "pi:"]).fails();
    let token = daemon.cli(["config", "trust", "add", "--name", "laptop", "-q"]).text();
    far(&["remote", "add", "debian", &token]).fails_with("means something already");
    far(&["remote", "add", "pi", &token]).ok();
    far(&["remote", "add", "two", &token]).ok();
    far(&["remote", "remove", "two"]).ok();
    far(&["launch", "busybox", "pi:web"]).ok();
    assert!(far(&["list", "pi:", "--format", "csv"]).text().starts_with("web,"));
    assert_eq!(far(&["exec", "pi:web", "--", "echo", "pi:hello"]).text(), "pi:hello");
    let noise = lab::noise(1 << 20);
    let file = daemon.scratch().join("noise");
    std::fs::write(&file, &noise).unwrap();
    far(&["file", "push", &file.to_string_lossy(), "pi:web/root/noise"]).ok();
    assert_eq!(far(&["exec", "pi:web", "cat", "/root/noise"]).ok().stdout, noise);
    // Without a name the usual one is meant, which is the socket until it is another.
    far(&["list"]).fails_with("/nowhere/unix.socket");
    far(&["remote", "switch", "pi"]).ok();
    assert_eq!(far(&["remote", "get-default"]).text(), "pi");
    assert!(far(&["list", "--format", "csv"]).text().starts_with("web,"));
    far(&["remote", "rename", "pi", "berry"]).ok();
    far(&["stop", "berry:web", "--force"]).ok();
    far(&["stop", "berry:web", "local:web"]).fails_with("one server");
    far(&["copy", "berry:web", "local:web"]).fails_with("/nowhere/unix.socket");
    far(&["remote", "set-url", "berry", "https://localhost:8443"]).ok();
    far(&["delete", "web"]).ok();
    // Another certificate there is another server.
    let settings = home.join(".config/microcloud/remotes.yml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let fingerprint = daemon.get("/1.0")["environment"]["certificate_fingerprint"].clone();
    let fingerprint = fingerprint.as_str().unwrap_or_default();
    std::fs::write(&settings, text.replace(fingerprint, &"ab".repeat(32))).unwrap();
    far(&["list"]).fails_with("another server");
    let key = home.join(".config/microcloud/client.key");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&key.metadata().unwrap()) & 0o777, 0o600);

    let token = daemon.cli(["config", "trust", "add", "--name", "desk", "-q"]).text();
    let url = "https://127.0.0.1:8443";
    far(&["remote", "add", "desk", url, "--token", &token]).ok();
    far(&["remote", "add", "desk2", url]).fails_with("--accept-certificate");
    far(&["remote", "add", "desk2", url, "--accept-certificate"]).ok();
    assert!(far(&["remote", "list"]).text().contains("desk2"));
    far(&["list", "desk2:"]).ok();
}

/// For clients that know no tokens.
#[test]
fn a_password_lets_a_client_in_and_is_shown_to_nobody() {
    let Some(daemon) = Daemon::start() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    let add = |home: &str, password: &str| {
        let words =
            ["remote", "add", "pi", "127.0.0.1", "--accept-certificate", "--password", password];
        lxc(&daemon, home, &words)
    };
    add("early", "correct horse").fails();
    daemon.lxc(["config", "set", "core.trust_password", "true"]).fails_with("none is");
    daemon.lxc(["config", "set", "core.trust_password", "correct horse"]).ok();
    assert_eq!(daemon.lxc(["config", "get", "core.trust_password"]).text(), "true");
    add("wrong", "battery staple").fails();
    add("mine", "correct horse").ok();
    assert!(lxc(&daemon, "mine", &["config", "trust", "list", "pi:"]).text().contains("client"));
    // What else is changed leaves it.
    daemon.lxc(["config", "set", "core.remote_token_expiry", "1d"]).ok();
    add("another", "correct horse").ok();
    let stored = std::fs::read(daemon.folder().join("database/log.db")).unwrap();
    assert!(!stored.windows(13).any(|part| part == b"correct horse"));
    daemon.lxc(["config", "unset", "core.trust_password"]).ok();
    add("late", "correct horse").fails();
}
