//! Machines that find each other and become one cloud by a few words.

use std::time::Instant;

use lab::{
    Client, Daemon, Run,
    cluster::{Cluster, address, name},
};
use serde_json::Value;

fn words(daemon: &Daemon) -> String {
    daemon.session()["words"].as_str().unwrap_or_default().to_owned()
}

fn members(daemon: &Daemon) -> Vec<String> {
    let all = daemon.get("/1.0/cluster/members?recursion=1");
    let all = all.as_array().into_iter().flatten();
    all.map(|one| one["server_name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn three_machines_become_one_cloud_by_words() {
    let Some(cluster) = Cluster::alone(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three") };
    let began = Instant::now();
    first.cli(["cluster", "enable", "m1"]).ok();
    let waits = first.begin(Client::Cli, &["cluster", "add", "--count", "2"], Vec::new());
    let said = words(first);
    // One finds the member by itself, the other is asked.
    let joins = second.begin(Client::Cli, &["join", "--name", "m2", "--words", &said], Vec::new());
    let asked = third.typed("join", &["m3", &said.to_uppercase()]);
    let (joined, asked) = (joins.wait().ok(), asked.wait().ok());
    let shown = waits.wait().ok().shown();
    eprintln!("MEASURED enable and two joins by words: {:?}", began.elapsed());
    assert_eq!(members(second), ["m1", "m2", "m3"]);
    assert!(joined.shown().contains("m1 waits at 10.9.0.1:8443"), "{joined}");
    assert!(asked.shown().contains("Name of this machine in the cluster ["), "{asked}");
    assert!(asked.shown().contains("Words that the member shows: "), "{asked}");
    assert!(asked.shown().contains("This server is member m3"), "{asked}");
    assert!(
        shown.contains(&said) && shown.contains("m2 knows the words: from 10.9.0.2"),
        "{shown}"
    );
    assert!(shown.contains("m2 is a member") && shown.contains("m3 is a member"), "{shown}");
    // Each end told the other's certificate.
    let print = |text: &str, before: &str| {
        let rest = text.split_once(before).map(|(_, rest)| rest).unwrap_or_default();
        rest.chars().take(12).collect::<String>()
    };
    assert_eq!(print(&joined.shown(), ", here: "), print(&shown, "from 10.9.0.2, certificate "));
    assert_eq!(print(&joined.shown(), "there: "), print(&shown, ":8443, certificate "));
    // It listens at all addresses, and the others have the one they reach.
    let at = third.get("/1.0/cluster/members/m3")["url"].clone();
    assert_eq!(at, "https://10.9.0.3:8443");
    assert_eq!(third.get("/1.0")["config"]["core.https_address"], ":8443");
    // Nobody is waited for any more.
    let more = third.cli(["join", "10.9.0.1", "--words", &said]);
    more.fails_with("a member of a cluster already");
    assert_eq!(first.get("/internal/cluster/session")["ended"], "it was ended");
    assert_eq!(first.cli(["cluster", "list-tokens", "--format", "csv"]).text(), "");
}

/// A request of a stranger, who has the certificate of that machine.
fn stranger(daemon: &Daemon, path: &str, body: &str) -> Run {
    let file = |name: &str| daemon.folder().join(name).display().to_string();
    let url = format!("https://{}/internal/cluster/session/{path}", address(0));
    let (certificate, key) = (file("server.crt"), file("server.key"));
    daemon.netns().run(&["curl", "-sk", "--cert", &certificate, "--key", &key, "-d", body, &url])
}

#[test]
fn who_guesses_does_not_get_far() {
    let Some(cluster) = Cluster::alone(3) else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three") };
    let join = |words: &str| second.cli(["join", "10.9.0.1", "--name", "m2", "--words", words]);
    first.cli(["cluster", "add"]).fails_with("in no cluster");
    first.cli(["cluster", "enable", "m1"]).ok();
    // Nobody waits by default.
    join("acorn river tulip").fails_with("waits for no machines that join");
    let waits = first.begin(Client::Cli, &["cluster", "add"], Vec::new());
    let said = words(first);
    // What is mistyped so that it cannot be right costs nothing.
    join("acorn rivre tulip").fails_with("\"rivre\" is none of the words");
    join("acorn").fails_with("3 words, not 1");
    join(&said.split(' ').rev().collect::<Vec<_>>().join(" ")).fails_with("4 more tries");
    assert_eq!(first.session()["wrong"], 1);
    // The right name, the wrong one; the session goes on.
    let taken = second.cli(["join", "10.9.0.1", "--name", "m1", "--words", &said]);
    taken.fails_with("\"m1\" already exists");
    second.lxc(["storage", "create", "mine", "dir"]).ok();
    join(&said).fails_with("only an empty server can join");
    second.lxc(["storage", "delete", "mine"]).ok();
    assert_eq!(first.session()["wrong"], 1);

    // Third has a certificate once it asks for it.
    third.get("/1.0");
    let begun = |who: &Daemon| -> String {
        // What is sent is a point of the curve with the guest's mark.
        let element = "QVhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm";
        let body = format!("{{\"element\":\"{element}\"}}");
        let told: Value =
            serde_json::from_str(&stranger(who, "hello", &body).text()).unwrap_or_default();
        told["metadata"]["exchange"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let proof = |exchange: &str| {
        format!("{{\"exchange\":\"{exchange}\",\"server_name\":\"m2\",\"proof\":\"AAAA\"}}")
    };
    let exchange = begun(second);
    // Nobody goes on with another's, and no exchange is good twice.
    assert!(stranger(third, "prove", &proof(&exchange)).text().contains("not authorized"));
    assert!(stranger(second, "prove", &proof(&exchange)).text().contains("3 more tries"));
    assert!(stranger(second, "prove", &proof(&exchange)).text().contains("not authorized"));
    for left in [2, 1] {
        let told = stranger(third, "prove", &proof(&begun(third))).text();
        assert!(told.contains(&format!("{left} more tries")), "{told}");
    }
    let other = if said.starts_with("acorn") { "river acorn tulip" } else { "acorn river tulip" };
    join(other).fails_with("it waits no more");
    waits.wait().fails_with("too many wrong words were tried");
    join(&said).fails_with("waits for no machines that join");
    assert_eq!(members(first), ["m1"]);

    // Another session has other words; the old ones are worth nothing.
    let waits = first.begin(Client::Cli, &["cluster", "add", "--count", "1"], Vec::new());
    let new = words(first);
    assert_ne!(new, said);
    join(&said).fails_with("4 more tries");
    join(&new).ok();
    waits.wait().ok();
    assert_eq!(members(first), ["m1", &name(1)]);
    // One that is ended by hand.
    let waits = first.begin(Client::Cli, &["cluster", "add"], Vec::new());
    first.session();
    waits.signal(rustix::process::Signal::INT);
    waits.wait().ok();
    third.cli(["join", "10.9.0.1", "--name", "m3", "--words", &new]).fails_with("waits for no");
}
