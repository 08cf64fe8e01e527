//! Projects keep apart what they hold.

use lab::{Client, Daemon, Run};

#[test]
fn the_same_name_in_two_projects() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["project", "create", "red", "-c", "features.images=false"]).ok();
    daemon.busybox("x");
    daemon.lxc(["project", "switch", "red"]).ok();
    // Its default profile is its own and empty: there is no disk to live on.
    daemon.lxc(["launch", "busybox", "x"]).fails_with("root");
    daemon
        .lxc(["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"])
        .ok();
    let nic = ["profile", "device", "add", "default", "eth0", "nic", "name=eth0"];
    let added = daemon.run(Client::Lxc, &[&nic[..], &["network=mcbr0"]].concat());
    added.ok();
    daemon.lxc(["launch", "busybox", "x"]).ok();
    daemon.lxc(["exec", "x", "--", "touch", "/red"]).ok();
    daemon.sh("x", "test ! -e /red").ok();
    let red = daemon.get("/1.0/instances?project=red&recursion=1");
    assert_eq!((red[0]["project"].as_str(), red[1].as_str()), (Some("red"), None));
    let both = daemon.lxc(["list", "--all-projects", "--format", "csv", "-c", "en"]).text();
    assert_eq!(both, "default,x\nred,x");
    let both = daemon.cli(["list", "--all-projects", "--format", "csv", "-c", "en"]).text();
    assert_eq!(both, "default,x\nred,x");
    daemon.cli(["--project", "red", "stop", "x", "--force"]).ok();
    assert_eq!(daemon.status("x"), "Running");
    daemon.lxc(["project", "delete", "red"]).fails();
    daemon.lxc(["delete", "x"]).ok();
    daemon.lxc(["project", "switch", "default"]).ok();
    daemon.lxc(["profile", "show", "default", "--project", "red"]).ok();
    daemon.lxc(["project", "delete", "red"]).ok();
    assert_eq!(daemon.status("x"), "Running");
}

#[test]
fn projects_are_made_changed_and_listed() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.cli(["project", "create", "blue", "-c", "features.profiles=false"]).ok();
    let list = daemon.lxc(["project", "list"]).text();
    assert!(list.contains("| default (current) ") && list.contains("| blue "), "{list}");
    // Profiles are those of the default project, images are its own.
    daemon.cli(["--project", "blue", "launch", "busybox", "x"]).ok();
    assert_eq!(daemon.cli(["--project", "blue", "exec", "x", "--", "hostname"]).text(), "x");
    assert_eq!(daemon.get("/1.0/images?project=blue").as_array().map(Vec::len), Some(1));
    daemon.cli(["project", "set", "blue", "user.note=1"]).ok();
    assert_eq!(daemon.lxc(["project", "get", "blue", "user.note"]).text(), "1");
    daemon.lxc(["project", "set", "blue", "features.images", "false"]).fails();
    daemon.lxc(["project", "rename", "blue", "navy"]).fails();
    daemon.cli(["--project", "blue", "delete", "x", "--force"]).ok();
    let print = daemon.get("/1.0/images?project=blue")[0].clone();
    let print = print.as_str().and_then(|url| url.split(['/', '?']).nth(3)).unwrap_or_default();
    daemon.cli(["--project", "blue", "image", "delete", print]).ok();
    daemon.lxc(["project", "rename", "blue", "navy"]).ok();
    daemon.lxc(["project", "delete", "navy"]).ok();
    daemon.lxc(["project", "delete", "default"]).fails();
    daemon.lxc(["project", "switch", "none"]).fails_with("not found");
}

#[test]
fn a_project_that_is_not_there() {
    let Some(daemon) = Daemon::ready() else { return };
    for path in ["instances", "images", "profiles", "networks"] {
        let reply = daemon.request("GET", &format!("/1.0/{path}?project=none"), "");
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
    }
    daemon.cli(["--project", "none", "launch", "busybox", "x"]).fails_with("none");
}

/// A project that has its images and profiles from the default one, with more options; and the stock client in it.
fn project<'a>(
    daemon: &'a Daemon,
    name: &'a str,
    options: &[&str],
) -> impl Fn(&[&str]) -> Run + 'a {
    let shared = ["project", "create", name, "-c", "features.images=false"];
    let mut words = [&shared[..], &["-c", "features.profiles=false"]].concat();
    options.iter().for_each(|option| words.extend(["-c", option]));
    daemon.run(Client::Lxc, &words).ok();
    move |words| daemon.run(Client::Lxc, &[&["--project", name], words].concat())
}

#[test]
fn what_is_in_a_restricted_project_stays_in_it() {
    let Some(daemon) = Daemon::ready() else { return };
    let kids = project(&daemon, "kids", &["restricted=true"]);
    kids(&["launch", "busybox", "x"]).ok();
    kids(&["init", "busybox", "still"]).ok();
    let out = [
        "security.privileged=true",
        "security.nesting=true",
        "raw.apparmor=file,",
        "volatile.idmap.base=0",
    ];
    for option in out {
        kids(&["config", "set", "still", option]).fails_with("restricted.containers.");
        kids(&["launch", "busybox", "y", "-c", option]).fails_with("restricted.containers.");
    }
    let disk = ["config", "device", "add", "x", "etc", "disk", "source=/etc", "path=/mnt"];
    kids(&disk).fails_with("restricted.devices.disk");
    kids(&["snapshot", "x"]).fails_with("restricted.snapshots");
    let file = daemon.scratch().join("x.tar.gz");
    kids(&["export", "x", &file.to_string_lossy()]).fails_with("restricted.backups");
    // Nor by what others share with it, or bring into it.
    daemon.lxc(["profile", "set", "default", "security.nesting", "true"]).fails_with("kids");
    let free = project(&daemon, "free", &[]);
    free(&["init", "busybox", "root", "-c", "security.privileged=true"]).ok();
    free(&["move", "root", "root", "--target-project", "kids"]).fails_with("security.privileged");
    free(&["copy", "root", "root2", "--target-project", "kids"]).fails_with("security.privileged");
    // The rules cannot be laid over what breaks them already.
    daemon.lxc(["project", "set", "free", "restricted", "true"]).fails_with("instance \"root\"");
    assert_eq!(kids(&["list", "--format", "csv", "-c", "n"]).text(), "still\nx");
    kids(&["exec", "x", "--", "test", "!", "-e", "/mnt/passwd"]).ok();
}

#[test]
fn a_folder_that_a_project_is_given_has_no_way_out() {
    let Some(daemon) = Daemon::ready() else { return };
    let media = daemon.scratch().join("media");
    std::fs::create_dir_all(media.join("films")).unwrap();
    std::fs::write(media.join("films/one"), "one").unwrap();
    std::os::unix::fs::symlink("/etc", media.join("out")).unwrap();
    let paths = format!("restricted.devices.disk.paths={}", media.display());
    let allow = "restricted.devices.disk=allow";
    let kids = project(&daemon, "kids", &["restricted=true", allow, &paths]);
    kids(&["launch", "busybox", "x"]).ok();
    let add = |name: &str, source: &str| {
        let source = format!("source={}{source}", media.display());
        let path = format!("path=/mnt/{name}");
        kids(&["config", "device", "add", "x", name, "disk", &source, &path])
    };
    add("all", "").ok();
    add("films", "/films").ok();
    kids(&["exec", "x", "--", "test", "-e", "/mnt/films/one"]).ok();
    add("out", "/out").fails_with("a link on the way is not followed");
    add("up", "/../media2").fails_with("restricted.devices.disk.paths");
    kids(&["restart", "x", "--force"]).ok();
    kids(&["exec", "x", "--", "test", "-e", "/mnt/films/one"]).ok();
}

#[test]
fn all_of_a_project_keeps_within_its_limits() {
    let Some(daemon) = Daemon::ready() else { return };
    let small = project(&daemon, "small", &["limits.containers=2", "limits.memory=256MiB"]);
    let launch = |name: &str, memory: &str| {
        small(&["launch", "busybox", name, "-c", &format!("limits.memory={memory}")])
    };
    small(&["launch", "busybox", "x"]).fails_with("asks for a size in limits.memory");
    launch("x", "128MiB").ok();
    launch("y", "200MiB").fails_with("limits.memory is 268435456");
    launch("y", "64MiB").ok();
    launch("z", "1MiB").fails_with("limits.containers is 2, it would be 3");
    small(&["config", "set", "y", "limits.memory", "200MiB"]).fails_with("limits.memory");
    small(&["config", "set", "y", "limits.memory", "128MiB"]).ok();
    daemon.lxc(["project", "set", "small", "limits.memory", "100MiB"]).fails_with("limits.memory");
    small(&["delete", "x", "--force"]).ok();
    daemon.lxc(["project", "set", "small", "limits.memory", "150MiB"]).ok();
    // Two that come at the same time are two.
    let words = ["--project", "small", "launch", "busybox"];
    let start = |name| {
        let words = [&words[..], &[name, "-c", "limits.memory=16MiB"]].concat();
        daemon.begin(Client::Cli, &words, Vec::new())
    };
    let both = [start("a"), start("b")].map(lab::Background::wait);
    assert_eq!(both.iter().filter(|run| run.status == 0).count(), 1);
}
