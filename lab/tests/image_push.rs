//! Images that the server which has them brings to another, and those that a client carries: `image copy --mode`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what fails here fails the test"
)]

use std::fs;

use lab::{
    Background, Client, Daemon, Run,
    images::{pack, tree},
};
use serde_json::{Value, json};

/// Two servers, and somebody who is trusted by both.
struct Two {
    a: Daemon,
    b: Daemon,
}

impl Two {
    fn start() -> Option<Two> {
        let a = Daemon::ready()?;
        let b = Daemon::with(&lab::Options { netns: a.beside().netns, ..Default::default() })?;
        b.lxc(["storage", "create", "default", "dir"]).ok();
        b.lxc(["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"])
            .ok();
        let two = Two { a, b };
        fs::create_dir_all(two.home()).unwrap();
        for (daemon, name, port) in [(&two.a, "a", "8443"), (&two.b, "b", "9443")] {
            daemon.lxc(["config", "set", "core.https_address", &format!("127.0.0.1:{port}")]).ok();
            let token = |who| daemon.cli(["config", "trust", "add", "--name", who, "-q"]).text();
            two.lxc(&["remote", "add", name, &token("stock")]).ok();
            two.own(&two.a, &["remote", "add", name, &token("own")]).ok();
        }
        Some(two)
    }

    fn home(&self) -> std::path::PathBuf {
        self.a.scratch().join("client")
    }

    fn lxc(&self, words: &[&str]) -> Run {
        let mut command = self.a.netns().command("env");
        command.arg(format!("LXD_CONF={}", self.home().display())).arg("LXD_DIR=/nowhere");
        command.arg("lxc").args(words);
        Background::start(command, Vec::new()).wait()
    }

    /// Our client, beside that daemon.
    fn own(&self, daemon: &Daemon, words: &[&str]) -> Run {
        let mut command = self.a.netns().command("env");
        command.args(["-u", "XDG_CONFIG_HOME"]).arg(format!("HOME={}", self.home().display()));
        command.arg(format!("MICROCLOUD_DIR={}", daemon.folder().display()));
        command.arg(daemon.command(Client::Cli).get_program()).args(words);
        Background::start(command, Vec::new()).wait()
    }

    /// The image of that name came to the second server whole; then it goes again.
    fn came(&self, name: &str, fingerprint: &str) -> Value {
        let alias = self.b.get(&format!("/1.0/images/aliases/{name}"));
        assert_eq!(alias["target"], fingerprint);
        let image = self.b.get(&format!("/1.0/images/{fingerprint}"));
        for daemon in [&self.a, &self.b] {
            assert!(daemon.get("/1.0/operations")["running"].is_null(), "a token is left");
        }
        self.b.lxc(["image", "delete", name]).ok();
        image
    }

    /// What a stranger is told who sends something as an image.
    fn send(&self, headers: &[String], query: &str) -> Value {
        let url = format!("https://127.0.0.1:9443/1.0/images{query}");
        let mut curl = self.a.netns().command("curl");
        curl.args(["--silent", "--insecure", "--data-binary", "no image", &url]);
        curl.args(["--header", "Content-Type: application/octet-stream"]);
        for header in headers {
            curl.args(["--header", header]);
        }
        serde_json::from_slice(&curl.output().unwrap().stdout).unwrap_or_default()
    }
}

#[test]
fn images_go_to_another_server_in_every_mode() {
    let Some(two) = Two::start() else { return };
    let there = two.a.get("/1.0/images/aliases/busybox")["target"].clone();
    let there = there.as_str().unwrap();
    two.a.lxc(["image", "set-property", "busybox", "note", "of a"]).ok();
    for mode in ["push", "relay"] {
        two.lxc(&["image", "copy", "a:busybox", "b:", "--mode", mode, "--alias", "came"]).ok();
        two.came("came", there);
    }
    two.lxc(&["image", "copy", "a:busybox", "b:", "--mode", "push", "--copy-aliases", "--public"])
        .ok();
    let image = two.came("busybox", there);
    assert_eq!((&image["public"], &image["properties"]["note"]), (&json!(true), &json!("of a")));

    for mode in ["pull", "push", "relay"] {
        let copy = |from: &'static str, to: &[&'static str]| {
            [&["image", "copy", from], to, &["--mode", mode, "--alias", "came"]].concat()
        };
        for (beside, words) in [
            (&two.a, copy("a:busybox", &["b:"])),
            (&two.a, copy("busybox", &["b:"])),
            (&two.b, copy("a:busybox", &[])),
        ] {
            two.own(beside, &words).ok();
            assert_eq!(two.came("came", there)["properties"]["note"], "of a", "{words:?}");
        }
    }
    let push = ["image", "copy", "a:busybox", "b:", "--mode", "push", "--alias", "came"];
    two.own(&two.a, &push).ok();
    two.own(&two.a, &push).fails_with("exists");
    two.came("came", there);
    two.own(&two.a, &["image", "copy", "a:busybox", "b:", "--mode", "push", "--auto-update"])
        .fails_with("--mode pull");

    // One of two files.
    let (tree, folder) = (tree(&two.a), two.a.scratch());
    let (metadata, root) = (folder.join("meta.tar.xz"), folder.join("root.tar.xz"));
    pack(&tree, &["metadata.yaml"], "--xz", &metadata);
    pack(&tree.join("rootfs"), &["."], "--xz", &root);
    let (metadata, root) = (metadata.to_string_lossy(), root.to_string_lossy());
    two.a.lxc(["image", "import", &metadata, &root, "--alias", "split"]).ok();
    let split = two.a.get("/1.0/images/aliases/split")["target"].clone();
    for mode in ["push", "relay"] {
        let words = ["image", "copy", "a:split", "b:", "--mode", mode, "--alias", "came"];
        two.lxc(&words).ok();
        two.came("came", split.as_str().unwrap());
        two.own(&two.a, &words).ok();
        two.came("came", split.as_str().unwrap());
    }
}

#[test]
fn a_stranger_brings_what_is_expected_and_nothing_else() {
    let Some(two) = Two::start() else { return };
    let fingerprint = "ab".repeat(32);
    let post = json!({ "source": { "mode": "push", "fingerprint": fingerprint } }).to_string();
    let told = two.b.request("POST", "/1.0/images", &post).ok();
    let headers = |secret: &str, fingerprint: &str| {
        vec![format!("X-LXD-secret: {secret}"), format!("X-LXD-fingerprint: {fingerprint}")]
    };
    let right = told["metadata"]["secret"].as_str().unwrap().to_owned();
    for (headers, query) in [
        (Vec::new(), ""),
        (headers("wrong", &fingerprint), ""),
        (headers(&right, &"cd".repeat(32)), ""),
        (headers(&right, &fingerprint), "?project=other"),
    ] {
        assert_eq!(two.send(&headers, query)["error_code"], 403, "{headers:?} {query}");
    }
    // It is no such image.
    let sent = two.send(&headers(&right, &fingerprint), "");
    let operation = sent["operation"].as_str().unwrap();
    let wait = |secret: &str| {
        let url = format!("https://127.0.0.1:9443{operation}/wait?secret={secret}");
        let mut curl = two.a.netns().command("curl");
        let said = curl.args(["--silent", "--insecure", &url]).output().unwrap().stdout;
        serde_json::from_slice::<Value>(&said).unwrap()
    };
    assert_eq!(wait("wrong")["error_code"], 403);
    assert_eq!(wait(&right)["metadata"]["status"], "Failure");
    // Once is once.
    assert_eq!(two.send(&headers(&right, &fingerprint), "")["error_code"], 403);
    assert_eq!(two.b.get("/1.0/images"), json!([]));
}
