//! Images of virtual machines in one file, with both clients: made by hand, and published.

use lab::{Client, Daemon, images::pack};

#[test]
fn a_machine_comes_of_one_file_and_becomes_one() {
    let Some(daemon) = Daemon::machines() else { return };
    let (scratch, tree) = (daemon.scratch(), daemon.scratch().join("tiny"));
    let copied = std::fs::copy(scratch.join("tiny.qcow2"), tree.join("rootfs.img"));
    copied.unwrap_or_else(|e| panic!("{tree:?}: {e}"));
    for (client, ending, option) in
        [(Client::Lxc, "tar.gz", "--gzip"), (Client::Cli, "tar.xz", "--xz")]
    {
        let run = |words: &[&str]| daemon.run(client, words);
        let file = scratch.join(format!("whole.{ending}"));
        pack(&tree, &["metadata.yaml", "boot", "templates", "rootfs.img"], option, &file);
        run(&["image", "import", &file.to_string_lossy(), "--alias", "whole"]).ok();
        assert!(daemon.lxc(["image", "info", "whole"]).text().contains("Type: virtual-machine"));
        let image = if client == Client::Lxc { "whole" } else { "local:whole" };
        run(&["launch", image, "v", "--vm", "--device", "root,size=24MiB"]).ok();
        daemon.says("v", "guest is up, boot 1");
        run(&["stop", "v", "--force"]).ok();

        // One of its own has what its disk had, and is one file, too.
        run(&["publish", "v", "--alias", "mine"]).ok();
        let out = scratch.join(format!("mine-{ending}"));
        run(&["image", "export", "mine", &out.to_string_lossy()]).ok();
        run(&["delete", "v"]).ok();
        run(&["image", "delete", "mine", "whole"]).ok();
        let made = std::fs::read_dir(&scratch).into_iter().flatten().flatten();
        let name = format!("mine-{ending}");
        let made: Vec<_> = made
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&name))
            })
            .collect();
        let [file] = &made[..] else { panic!("it is one file: {made:?}") };
        run(&["image", "import", &file.to_string_lossy(), "--alias", "mine"]).ok();
        run(&["launch", if client == Client::Lxc { "mine" } else { "local:mine" }, "v", "--vm"])
            .ok();
        daemon.says("v", "guest is up, boot 2");
        run(&["delete", "v", "--force"]).ok();
        run(&["image", "delete", "mine"]).ok();
    }
}
