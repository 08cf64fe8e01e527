//! Paths within custom volumes as disks of instances.

use lab::{Client, Daemon};

#[test]
fn a_folder_of_a_volume_is_a_disk_and_no_link_leads_out_of_it() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "volume", "create", "default", "data"]).ok();
    daemon.busybox("web");
    daemon.busybox("db");
    daemon.lxc(["storage", "volume", "attach", "default", "data", "web", "/srv"]).ok();
    let made = "cd /srv && mkdir -p sub/dir && echo here > sub/dir/note && echo one > file \
        && ln -s /etc out && ln -s sub link && ln -s / sub/up && mknod pipe p";
    daemon.sh("web", made).ok();
    let device = |source: &str, more: &[&str]| {
        let path = if source == "data/file" { "path=/one" } else { "path=/part" };
        let source = format!("source={source}");
        let words = ["config", "device", "add", "db", "part", "disk", "pool=default", path];
        daemon.run(Client::Lxc, &[&words[..], &[source.as_str()], more].concat())
    };
    let remove = || daemon.lxc(["config", "device", "remove", "db", "part"]).ok();
    for running in [true, false] {
        if !running {
            daemon.lxc(["stop", "db", "--force"]).ok();
        }
        let start = || if running { "true" } else { "false" };
        device("data/sub/dir", &[]).ok();
        if !running {
            daemon.lxc(["start", "db"]).ok();
        }
        assert_eq!(daemon.sh("db", "cat /part/note; ls /part").text(), "here\nnote", "{}", start());
        daemon.sh("db", "echo more > /part/more && chown 5:6 /part/more").ok();
        let seen =
            daemon.sh("web", "cat /srv/sub/dir/more; stat -c %u:%g /srv/sub/dir/more").text();
        assert_eq!(seen, "more\n5:6");
        daemon.sh("web", "rm /srv/sub/dir/more").ok();
        daemon.lxc(["storage", "volume", "delete", "default", "data"]).fails_with("in use");
        if !running {
            daemon.lxc(["stop", "db", "--force"]).ok();
        }
        remove();
        device("data/file", &[]).ok();
        if !running {
            daemon.lxc(["start", "db"]).ok();
        }
        assert_eq!(daemon.sh("db", "cat /one").text(), "one");
        if !running {
            daemon.lxc(["stop", "db", "--force"]).ok();
        }
        remove();
        for (source, said) in [
            ("data/out", "a link on the way is not followed"),
            ("data/link/dir", "a link on the way is not followed"),
            ("data/sub/up/etc", "a link on the way is not followed"),
            ("data/pipe", "neither a folder nor a file"),
            ("data/none", "No such file"),
        ] {
            match running {
                true => drop(device(source, &[]).fails_with(said)),
                false => {
                    device(source, &[]).ok();
                    daemon.lxc(["start", "db"]).fails_with(said);
                    remove();
                }
            }
        }
        device("data/../data", &[]).fails_with("without ..");
        device("data/none", &["required=false"]).ok();
        if !running {
            daemon.lxc(["start", "db"]).ok();
        }
        assert_eq!(daemon.sh("db", "ls /part 2>/dev/null | wc -l").text(), "0");
        if !running {
            daemon.lxc(["stop", "db", "--force"]).ok();
        }
        remove();
    }
}
