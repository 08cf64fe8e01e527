//! Templates that come with an image: files that are made of them, and what clients see and change of both.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;

use lab::{
    Client, Daemon,
    images::{pack, tree},
};

const TEMPLATES: &str = r#"
templates:
  /etc/hostname:
    when: [create, copy, rename]
    template: hostname.tpl
  /etc/app/deep/started:
    when: [start]
    template: started.tpl
    properties: { greeting: hello }
    uid: 5
    mode: "0640"
  /etc/keep:
    when: [start]
    create_only: true
    template: hostname.tpl
"#;

const STARTED: &str = "{{ properties.greeting }} {{ trigger }} {{ config_get(\"user.color\", \"none\") }}\
    {% for name, device in devices %} {{ name }}={{ device.type }}{% endfor %}\n";

/// The small image with templates.
fn image(daemon: &Daemon) {
    let (tree, file) = (tree(daemon), daemon.scratch().join("templates.tar"));
    let metadata = tree.join("metadata.yaml");
    let text = fs::read_to_string(&metadata).unwrap().replace("templates: {}\n", "");
    fs::write(&metadata, text + TEMPLATES).unwrap();
    fs::create_dir(tree.join("templates")).unwrap();
    fs::write(tree.join("templates/hostname.tpl"), "{{ container.name }}\n").unwrap();
    fs::write(tree.join("templates/started.tpl"), STARTED).unwrap();
    pack(&tree, &["metadata.yaml", "templates", "rootfs"], "--no-same-owner", &file);
    daemon.lxc(["image", "import", &file.to_string_lossy(), "--alias", "templates"]).ok();
}

fn pending(daemon: &Daemon, name: &str) -> serde_json::Value {
    daemon.get(&format!("/1.0/instances/{name}"))["config"]["volatile.apply_template"].clone()
}

#[test]
fn files_are_made_of_templates_when_their_metadata_says() {
    let Some(daemon) = Daemon::ready() else { return };
    image(&daemon);
    let cat = |name: &str, path: &str| daemon.sh(name, &format!("cat {path}")).text();
    daemon.lxc(["launch", "templates", "one", "-c", "user.color=red"]).ok();
    assert_eq!(cat("one", "/etc/hostname"), "one");
    assert_eq!(cat("one", "/etc/app/deep/started"), "hello start red eth0=nic root=disk");
    assert_eq!(daemon.sh("one", "stat -c '%u %a' /etc/app/deep/started").text(), "5 640");
    daemon.sh("one", "echo mine > /etc/hostname; echo mine > /etc/keep").ok();
    daemon.cli(["config", "set", "one", "user.color=blue"]).ok();
    daemon.lxc(["restart", "one", "--force"]).ok();
    assert_eq!(cat("one", "/etc/hostname /etc/keep"), "mine\nmine");
    assert!(cat("one", "/etc/app/deep/started").starts_with("hello start blue"));
    assert!(pending(&daemon, "one").is_null());

    daemon.cli(["copy", "one", "two"]).ok();
    assert_eq!(pending(&daemon, "two"), "copy");
    daemon.lxc(["rename", "two", "three"]).ok();
    assert_eq!(pending(&daemon, "three"), "copy", "what came first is not lost");
    daemon.cli(["start", "three"]).ok();
    assert_eq!(cat("three", "/etc/hostname /etc/keep"), "three\nmine");
    daemon.cli(["stop", "three", "--force"]).ok();
    daemon.lxc(["rename", "three", "four"]).ok();

    // The instance's own root lays links that would lead out, and a folder where a file is to be.
    let outside = daemon.scratch().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = format!("rm -r /etc/app /etc/hostname; ln -s {} /etc/app", outside.display());
    daemon.cli(["start", "four"]).ok();
    daemon.sh("four", &link).ok();
    daemon.cli(["restart", "four", "--force"]).fails_with("/etc/app/deep/started");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing got out");
    assert_eq!(daemon.status("four"), "Stopped");
    daemon.cli(["file", "delete", "four/etc/app"]).ok();
    daemon.cli(["start", "four"]).ok();
    assert!(cat("four", "/etc/app/deep/started").starts_with("hello start blue"));
}

#[test]
fn metadata_and_templates_are_shown_and_changed_by_both_clients() {
    let Some(daemon) = Daemon::ready() else { return };
    image(&daemon);
    daemon.lxc(["init", "templates", "web"]).ok();
    for (client, runs) in
        [(Client::Lxc, false), (Client::Cli, false), (Client::Lxc, true), (Client::Cli, true)]
    {
        let run = |words: &[&str]| daemon.run(client, &[&["config"], words].concat());
        let edit = |words: &[&str], text: &str| {
            daemon.run_with(client, &[&["config"], words].concat(), text.into())
        };
        if runs && daemon.status("web") != "Running" {
            daemon.lxc(["start", "web"]).ok();
        }
        assert!(run(&["template", "list", "web"]).text().contains("| hostname.tpl |"));
        assert_eq!(run(&["template", "show", "web", "started.tpl"]).text(), STARTED.trim_end());
        run(&["template", "create", "web", "motd.tpl"]).ok();
        edit(&["template", "edit", "web", "motd.tpl"], "you are on {{ instance.name }}\n").ok();
        assert!(run(&["template", "show", "web", "motd.tpl"]).text().contains("you are on"));
        let shown = run(&["metadata", "show", "web"]).text();
        assert!(shown.contains("/etc/hostname") && shown.contains("hostname.tpl"), "{shown}");
        let with = "templates:\n  /etc/motd:\n    when:\n    - start\n    template: motd.tpl";
        edit(&["metadata", "edit", "web"], &shown.replace("templates:", with)).ok();
        assert!(run(&["metadata", "show", "web"]).text().contains("/etc/motd"));
        let wrong = with.replace("- start", "- boot");
        let wrong = shown.replace("templates:", &wrong);
        edit(&["metadata", "edit", "web"], &wrong)
            .fails_with("\"boot\": create, copy, rename, start");
        if runs {
            daemon.lxc(["restart", "web", "--force"]).ok();
            assert_eq!(daemon.sh("web", "cat /etc/motd").text(), "you are on web");
        }
        edit(&["metadata", "edit", "web"], &shown).ok();
        run(&["template", "delete", "web", "motd.tpl"]).ok();
        run(&["template", "show", "web", "motd.tpl"]).fails_with("not found");
        run(&["template", "create", "web", "../x"]).fails_with("plain name");
    }
    let path = "/1.0/instances/web/metadata";
    let patch = r#"{"properties": {"color": "green"}}"#;
    assert_eq!(daemon.request("PATCH", path, patch).status, 200);
    let now = daemon.get(path);
    assert_eq!(now["properties"]["color"], "green");
    assert_eq!(now["templates"]["/etc/hostname"]["template"], "hostname.tpl");
    // The image has what it had.
    daemon.lxc(["launch", "templates", "other"]).ok();
    assert!(daemon.get("/1.0/instances/other/metadata")["properties"]["color"].is_null());

    // What cannot be rendered is said at the start, by its name.
    daemon.lxc(["stop", "web", "--force"]).ok();
    let broken = "{{ container.name".to_owned();
    daemon
        .run_with(Client::Lxc, &["config", "template", "edit", "web", "started.tpl"], broken.into())
        .ok();
    daemon.lxc(["start", "web"]).fails_with("\"started.tpl\" of /etc/app/deep/started");
}
