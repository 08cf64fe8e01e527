//! Images made of instances and snapshots, with both clients.

use lab::{Client, Daemon};
use serde_json::{Value, json};

fn image(daemon: &Daemon, alias: &str) -> Value {
    let target = daemon.get(&format!("/1.0/images/aliases/{alias}"))["target"].clone();
    daemon.get(&format!("/1.0/images/{}", target.as_str().unwrap_or_default()))
}

#[test]
fn an_image_of_an_instance_makes_others() {
    let Some(daemon) = Daemon::ready() else { return };
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        daemon.busybox("web");
        daemon.sh("web", "mkdir -p /srv; echo then > /srv/note; ln /srv/note /srv/twin").ok();
        run(&["snapshot", "web", "before"]).ok();
        daemon.sh("web", "echo now > /srv/note; rm -r /tmp").ok();
        run(&["publish", "web", "--alias", "mine"]).fails_with("running");
        let said = run(&["publish", "web", "--force", "--alias", "mine", "os=Mine", "--public"]);
        let mine = image(&daemon, "mine");
        let print = mine["fingerprint"].as_str().unwrap_or_default().to_owned();
        assert!(said.text().contains(&print), "the client tells its fingerprint");
        daemon.await_status("web", "Running");
        assert_eq!((&mine["public"], &mine["properties"]["os"]), (&json!(true), &json!("Mine")));
        run(&["publish", "web/before", "--alias", "old", "--compression", "none"]).ok();
        run(&["launch", "local:mine", "new"]).ok();
        run(&["launch", "local:old", "older"]).ok();
        let look = "cat /srv/note; stat -c %h /srv/twin; ls -d /tmp";
        assert_eq!(
            daemon.sh("new", look).shown().lines().take(2).collect::<Vec<_>>(),
            ["now", "2"]
        );
        assert_eq!(daemon.sh("older", look).text(), "then\n2\n/tmp");

        run(&["stop", "web", "--force"]).ok();
        // The stock client takes an alias without asking.
        daemon.cli(["publish", "web", "--alias", "mine"]).fails_with("--reuse");
        let reuse = ["publish", "web", "--alias", "mine", "--reuse"];
        run(if client == Client::Cli { &reuse } else { &reuse[..4] }).ok();
        assert_ne!(image(&daemon, "mine")["fingerprint"], print.as_str());
        run(&["publish", "web/none"]).fails_with("not found");
        run(&["publish", "none"]).fails_with("not found");
        run(&["publish", "web", "--compression", "rar"]).fails_with("compression");
        run(&["delete", "web", "new", "older", "--force"]).ok();
        let second = image(&daemon, "mine")["fingerprint"].clone();
        let second = second.as_str().unwrap_or_default();
        run(&["image", "delete", &print, "old", second]).ok();
        daemon.await_idle();
        let cache = std::fs::read_dir(daemon.folder().join("cache")).into_iter().flatten();
        assert_eq!(cache.count(), 0, "nothing is left of the packing");
    }
}
