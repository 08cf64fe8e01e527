//! Virtual machines, with both clients, in QEMU.

use lab::{Client, Daemon, until};
use serde_json::json;

/// A profile's root of 10 GiB would be fine too; small ones show that the size is taken.
const SMALL: [&str; 2] = ["--device", "root,size=64MiB"];

#[test]
fn a_machine_lives_like_a_container() {
    let Some(mut daemon) = Daemon::machines() else { return };
    for (client, image) in [(Client::Lxc, "tiny"), (Client::Cli, "local:tiny")] {
        let run = |daemon: &Daemon, words: &[&str]| daemon.run(client, words);
        run(&daemon, &[&["launch", image, "v", "--vm"], &SMALL[..]].concat()).ok();
        daemon.says("v", "guest is up, boot 1");
        daemon.says("v", "disk sda: 64 MiB");
        let address = daemon.address("v").to_string();
        let listed = run(&daemon, &["list"]).text();
        for words in ["VIRTUAL-MACHINE", "RUNNING", &address] {
            assert!(listed.contains(words), "{client:?}: {words} in {listed}");
        }

        // It outlives the daemon, which finds it again.
        let before = daemon.init_of("v");
        daemon.kill9();
        daemon.launch();
        daemon.await_status("v", "Running");
        assert_eq!(daemon.init_of("v"), before);
        run(&daemon, &["pause", "v"]).ok();
        assert_eq!(daemon.status("v"), "Frozen");
        run(&daemon, &["start", "v"]).ok();
        assert_eq!(daemon.status("v"), "Running");

        // Its power button is heard; what it wrote is there at its next start.
        run(&daemon, &["restart", "v"]).ok();
        daemon.says("v", "guest is up, boot 2");
        assert_ne!(daemon.init_of("v"), before);
        run(&daemon, &["stop", "v"]).ok();
        assert_eq!(daemon.status("v"), "Stopped");
        run(&daemon, &["rename", "v", "w"]).ok();
        run(&daemon, &["start", "w"]).ok();
        daemon.says("w", "guest is up, boot 3");
        run(&daemon, &["delete", "w", "--force"]).ok();
        daemon.no_instance_left();
    }
}

#[test]
fn disks_and_cards_come_and_go_while_it_runs() {
    let Some(daemon) = Daemon::machines() else { return };
    daemon.cli(["launch", "local:tiny", "v", "--vm"]).ok();
    daemon.says("v", "guest is up, boot 1");
    daemon
        .lxc(["storage", "volume", "create", "default", "data", "--type=block", "size=32MiB"])
        .ok();
    daemon
        .lxc(["config", "device", "add", "v", "data", "disk", "pool=default", "source=data"])
        .ok();
    daemon.says("v", "disk sdb: 32 MiB");
    daemon.lxc(["storage", "volume", "delete", "default", "data"]).fails_with("in use");
    daemon.lxc(["config", "device", "remove", "v", "data"]).ok();
    daemon.says("v", "disk sdb is gone");
    daemon.lxc(["storage", "volume", "delete", "default", "data"]).ok();

    daemon.lxc(["config", "device", "add", "v", "eth1", "nic", "network=mcbr0"]).ok();
    until("the second card has an address", || {
        (daemon.addresses("v", "inet").len() == 2).then_some(())
    });
    daemon.lxc(["config", "device", "remove", "v", "eth1"]).ok();
    until("the second card is gone", || (daemon.addresses("v", "inet").len() == 1).then_some(()));

    // Both also before it starts.
    daemon.lxc(["stop", "v", "--force"]).ok();
    daemon
        .lxc(["storage", "volume", "create", "default", "more", "--type=block", "size=48MiB"])
        .ok();
    daemon
        .lxc(["config", "device", "add", "v", "more", "disk", "pool=default", "source=more"])
        .ok();
    daemon.lxc(["config", "device", "add", "v", "eth1", "nic", "network=mcbr0"]).ok();
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "48 MiB");
    until("both cards have an address", || {
        (daemon.addresses("v", "inet").len() == 2).then_some(())
    });
}

#[test]
fn snapshots_and_copies_have_what_the_disk_had() {
    let Some(daemon) = Daemon::machines() else { return };
    daemon.lxc(["launch", "tiny", "v", "--vm", "--device", "root,size=32MiB"]).ok();
    daemon.says("v", "guest is up, boot 1");
    // While it runs.
    daemon.lxc(["snapshot", "v", "one"]).ok();
    daemon.lxc(["restart", "v", "--force"]).ok();
    daemon.says("v", "guest is up, boot 2");
    daemon.lxc(["copy", "v/one", "w"]).ok();
    daemon.lxc(["start", "w"]).ok();
    daemon.says("w", "guest is up, boot 2");
    daemon.lxc(["stop", "v", "--force"]).ok();
    daemon.lxc(["copy", "v", "x"]).ok();
    daemon.lxc(["restore", "v", "one"]).ok();
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "guest is up, boot 2");
    daemon.lxc(["start", "x"]).ok();
    daemon.says("x", "guest is up, boot 3");
    let (v, x) = (daemon.address("v"), daemon.address("x"));
    assert_ne!(v, x, "a copy has addresses of its own");
}

#[test]
fn what_goes_wrong_is_said_and_leaves_nothing() {
    let Some(daemon) = Daemon::machines() else { return };
    daemon.cli(["launch", "local:busybox", "v", "--vm"]).fails_with("is one of a container");
    daemon.cli(["launch", "local:tiny", "v"]).fails_with("is one of a virtual-machine");
    daemon.cli(["launch", "busybox", "v", "--vm"]).fails_with("can only be a container");
    daemon.no_instance_left();

    let init = |device: &str| daemon.lxc(["init", "tiny", "v", "--vm", "--device", device]);
    init("root,size=1MiB").fails();
    daemon.no_instance_left();
    init("root,size=32MiB").ok();
    daemon.busybox("c");
    for drive in ["agent:config", "cloud-init:config"] {
        let source = format!("source={drive}");
        daemon.lxc(["config", "device", "add", "v", "drive", "disk", &source]).ok();
        daemon.lxc(["config", "device", "remove", "v", "drive"]).ok();
        daemon
            .lxc(["config", "device", "add", "c", "drive", "disk", &source])
            .fails_with("for virtual machines");
    }
    daemon.lxc(["delete", "c", "--force"]).ok();
    daemon
        .lxc(["config", "device", "add", "v", "d", "disk", "source=/dev/none"])
        .fails_with("path");

    // A disk without anything to boot: the firmware says so on the console, and it can be stopped.
    daemon.lxc(["config", "set", "instances.migration.stateful", "true"]).ok();
    daemon.lxc(["init", "empty", "--empty", "--vm", "--device", "root,size=32MiB"]).ok();
    daemon.lxc(["config", "unset", "instances.migration.stateful"]).ok();
    assert_eq!(daemon.lxc(["config", "get", "empty", "migration.stateful"]).text(), "true");
    daemon.lxc(["config", "unset", "empty", "migration.stateful"]).ok();
    daemon.lxc(["config", "set", "empty", "security.secureboot=false"]).ok();
    daemon.lxc(["start", "empty"]).ok();
    daemon.says("empty", "Shell>");
    daemon.lxc(["stop", "empty", "--force"]).ok();

    // What is said to QEMU besides: quotes are read at once, the rest by QEMU, and its words are told.
    let raw = |value: &str| daemon.lxc(["config", "set", "v", &format!("raw.qemu={value}")]);
    raw("-device 'pvpanic").fails_with("quote is closed");
    raw("-device no-such-card").ok();
    daemon.lxc(["start", "v"]).fails_with("no-such-card");
    raw("-device pvpanic-pci,id='extra'").ok();

    // QEMU is killed from outside.
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "guest is up");
    let pid = daemon.init_of("v").to_string();
    let told = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(told.ends_with("\0-device\0pvpanic-pci,id=extra\0"), "{told}");
    lab::host(&["kill", "-9", &pid]).ok();
    daemon.await_status("v", "Stopped");
    daemon.lxc(["start", "v"]).ok();
    daemon.says("v", "guest is up, boot 2");

    // Nobody is in there who could do this.
    let exec = json!({ "command": ["true"] }).to_string();
    let reply = daemon.request("POST", "/1.0/instances/v/exec", &exec);
    assert_eq!(reply.status, 400, "{:?}", reply.body);
    assert!(reply.error().contains("agent"), "{}", reply.error());
}

#[test]
fn programs_run_and_files_are_reached_through_the_agent() {
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    daemon.cli(["launch", "local:tiny", "v", "--vm", "-c", "cloud-init.user-data=#!/bin/x"]).ok();
    let agent = |daemon: &Daemon| {
        lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
            (daemon.cli(["exec", "v", "--", "true"]).status == 0).then_some(())
        });
    };
    agent(&daemon);
    for client in Client::BOTH {
        let run = |words: &[&str]| daemon.run(client, words);
        let said =
            run(&["exec", "v", "--env", "A=b c", "--", "sh", "-c", "hostname; echo $A; exit 7"]);
        assert_eq!((said.status, said.shown().contains("guest")), (7, true), "{}", said.shown());
        assert!(said.shown().contains("b c"), "{}", said.shown());
        assert_eq!(run(&["exec", "v", "--", "no-such-program"]).status, 127);
        let bytes = lab::noise(3 << 20);
        let sum = daemon.run_with(client, &["exec", "v", "--", "sha256sum"], bytes.clone()).text();
        let file = daemon.scratch().join("noise");
        std::fs::write(&file, &bytes).unwrap_or_else(|e| panic!("{e}"));
        let here = lab::host(&["sha256sum", &file.to_string_lossy()]).text();
        assert_eq!(sum.split(' ').next(), here.split(' ').next());

        run(&["file", "push", "--mode=0640", "--uid=3", &file.to_string_lossy(), "v/tmp/noise"])
            .ok();
        let seen = run(&["exec", "v", "--", "stat", "-c", "%a %u %s", "/tmp/noise"]).text();
        assert_eq!(seen.trim(), format!("640 3 {}", bytes.len()));
        let back = daemon.scratch().join("back");
        run(&["file", "pull", "v/tmp/noise", &back.to_string_lossy()]).ok();
        assert!(std::fs::read(&back).is_ok_and(|got| got == bytes), "what was pushed comes back");
        run(&["file", "delete", "v/tmp/noise"]).ok();
        run(&["file", "pull", "v/tmp/noise", &back.to_string_lossy()]).fails_with("not found");
    }
    // What its image's template makes was there before the agent answered.
    let made = daemon.sh("v", "cat /etc/made/name; stat -c %a /etc/made/name").text();
    assert_eq!(made, "v virtual-machine\n600");
    if lab::installed("sftp") {
        let (door, file) = (lab::sftp::door(&daemon, "v"), daemon.scratch().join("noise"));
        let (file, back) = (file.display(), daemon.scratch().join("back"));
        let lines = format!(
            "put {file} /tmp/n\nchmod 600 /tmp/n\nrename /tmp/n /tmp/m\nls -l /tmp/m\nget /tmp/m {}\nrm /tmp/m\n",
            back.display()
        );
        let said = lab::sftp::sftp(&["-D", &door.to_string_lossy()], &lines).text();
        assert!(said.contains("-rw-------"), "{said}");
        assert!(std::fs::read(back).is_ok_and(|got| got == lab::noise(3 << 20)));
    }
    // What its cloud-init is told is on a disc by the label that it looks for, and on the drive.
    let label = "dd if=/dev/sr1 bs=1 skip=32808 count=6 2>/dev/null";
    assert_eq!(daemon.sh("v", label).text(), "cidata");
    assert_eq!(daemon.sh("v", "cat /sys/class/dmi/id/product_serial").text(), "ds=nocloud");
    let told = daemon.sh("v", "mount -t iso9660 /dev/sr1 /mnt; cat /mnt/user-data /mnt/meta-data");
    let told = told.text();
    assert!(told.contains("#!/bin/x") && told.contains("local-hostname: v"), "{told}");
    let state = daemon.state("v");
    assert!(state["processes"].as_i64().is_some_and(|count| count > 10), "{state}");
    assert!(state["network"]["eth0"]["host_name"].as_str().is_some_and(|it| !it.is_empty()));

    // Another daemon finds the agent again.
    daemon.kill9();
    daemon.launch();
    agent(&daemon);
}

#[test]
fn cards_are_named_inside_as_their_devices_are() {
    let Some(daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    daemon.lxc(["init", "tiny", "v", "--vm", "-c", "agent.nic_config=true"]).ok();
    let card = ["nic", "network=mcbr0", "mtu=1400"];
    let add = |words: &[&str]| {
        let words = [&["config", "device", "add", "v"], &words[..1], &card, &words[1..]].concat();
        daemon.run(Client::Cli, &words).ok();
    };
    // What is the first inside has the name of the second, and the other way round.
    add(&["one", "name=eth2"]);
    add(&["two", "name=eth1"]);
    daemon.lxc(["start", "v"]).ok();
    lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
        (daemon.cli(["exec", "v", "--", "true"]).status == 0).then_some(())
    });
    let inside = |file: &str| daemon.sh("v", &format!("cat /sys/class/net/{file}")).text();
    let own = |key: &str| daemon.cli(["config", "get", "v", key]).text();
    assert_eq!(inside("eth2/address"), own("volatile.one.hwaddr"));
    assert_eq!(inside("eth1/address"), own("volatile.two.hwaddr"));
    assert_eq!((inside("eth1/mtu"), inside("eth2/mtu")), ("1400".into(), "1400".into()));
    // One that comes while it runs has its name as soon as it is there, also that of one that went.
    add(&["three", "name=lan9"]);
    assert_eq!(inside("lan9/address"), own("volatile.three.hwaddr"));
    assert_eq!(inside("lan9/mtu"), "1400");
    daemon.cli(["config", "device", "remove", "v", "three"]).ok();
    daemon.sh("v", "ip link set lan9 up").fails();
    add(&["four", "name=lan9"]);
    assert_eq!(inside("lan9/address"), own("volatile.four.hwaddr"));
}

#[test]
fn folders_of_the_host_are_seen_in_the_guest() {
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let folder = daemon.scratch().join("photos");
    let write = |name: &str, text: &str| {
        let done =
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), text));
        done.unwrap_or_else(|e| panic!("{e}"));
    };
    write("one", "from the host\n");
    let source = format!("source={}", folder.display());
    daemon.lxc(["init", "tiny", "v", "--vm", SMALL[0], SMALL[1]]).ok();
    daemon.lxc(["config", "device", "add", "v", "p", "disk", &source, "path=/photos"]).ok();
    daemon.lxc(["start", "v"]).ok();
    let sh = |daemon: &Daemon, line: &str| {
        lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
            (daemon.cli(["exec", "v", "--", "true"]).status == 0).then_some(())
        });
        daemon.sh("v", line)
    };
    until("the folder is mounted", || {
        (sh(&daemon, "test -e /photos/one").status == 0).then_some(())
    });
    assert_eq!(sh(&daemon, "cat /photos/one").text().trim(), "from the host");
    sh(&daemon, "echo from the guest > /photos/two; chown 3:4 /photos/two; chmod 640 /photos/two")
        .ok();
    let two = folder.join("two").display().to_string();
    assert_eq!(std::fs::read_to_string(&two).unwrap_or_default(), "from the guest\n");
    assert_eq!(lab::host(&["stat", "-c", "%u:%g %a", &two]).text().trim(), "3:4 640");

    // It goes and comes while the machine runs, also read-only, and after the daemon's end.
    daemon.kill9();
    daemon.launch();
    daemon.await_status("v", "Running");
    daemon.lxc(["config", "device", "remove", "v", "p"]).ok();
    assert_ne!(sh(&daemon, "test -e /photos/one").status, 0);
    daemon.lxc(["storage", "volume", "create", "default", "files"]).ok();
    daemon
        .lxc([
            "config",
            "device",
            "add",
            "v",
            "f",
            "disk",
            "pool=default",
            "source=files",
            "path=/f",
        ])
        .ok();
    sh(&daemon, "echo kept > /f/it").ok();
    let options = ["path=/p", "readonly=true", "io.threads=4"];
    let words = [&["config", "device", "add", "v", "p", "disk", &source][..], &options].concat();
    daemon.run(Client::Lxc, &words).ok();
    lab::host(&["pgrep", "-f", "virtiofsd .*--thread-pool-size=4"]).ok();
    assert_eq!(sh(&daemon, "cat /p/one").text().trim(), "from the host");
    assert_ne!(sh(&daemon, "touch /p/three").status, 0);
    assert_ne!(sh(&daemon, "mount -o remount,rw /p; touch /p/three").status, 0);
    assert!(!folder.join("three").exists());

    // The next boot of the guest has them again.
    daemon.lxc(["restart", "v", "--force"]).ok();
    until("the volume is mounted", || (sh(&daemon, "test -e /f/it").status == 0).then_some(()));
    assert_eq!(sh(&daemon, "cat /f/it").text().trim(), "kept");
    daemon
        .lxc(["config", "device", "add", "v", "q", "disk", "source=/no/such/folder", "path=/q"])
        .fails_with("/no/such/folder");
}

#[test]
fn a_disk_that_comes_alone_becomes_an_image() {
    let Some(daemon) = Daemon::machines() else { return };
    let place = |name: &str| daemon.scratch().join(name).display().to_string();
    let mut disk = lab::noise(4 << 20);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(place("raw"), &disk).unwrap_or_else(|e| panic!("{e}"));
    let convert = |to: &[&str], name: &str| {
        let (from, made) = (place("raw"), place(name));
        lab::host(&[&["qemu-img", "convert", "-O"], to, &[&from, &made]].concat()).ok();
    };
    convert(&["qcow2"], "qcow2");
    convert(&["vmdk"], "vmdk");
    convert(&["vmdk", "-o", "subformat=streamOptimized"], "stream");
    for (client, name) in [
        (Client::Lxc, "qcow2"),
        (Client::Cli, "raw"),
        (Client::Lxc, "vmdk"),
        (Client::Cli, "stream"),
    ] {
        daemon.run(client, &["image", "import", &place(name), "--alias", name]).ok();
        assert!(daemon.lxc(["image", "info", name]).text().contains("Type: virtual-machine"));
        daemon.lxc(["init", name, "v", "--vm", "--device", "root,size=8MiB"]).ok();
        let folder = daemon.folder().join("storage-pools").display().to_string();
        let found =
            lab::host(&["find", &folder, "-path", "*/virtual-machines/*", "-name", "root.img"])
                .text();
        let root = std::fs::read(found.trim()).unwrap_or_else(|e| panic!("{found}: {e}"));
        assert!(root.starts_with(&disk), "{name}: the machine has the bytes of the disk");
        daemon.lxc(["delete", "v"]).ok();
    }

    // Out again it is two files, by our client as by the other, and back it is the same image.
    let files = [Client::Cli, Client::Lxc].map(|client| {
        let file = place(&format!("{client:?}"));
        daemon.run(client, &["image", "export", "qcow2", &file]).ok();
        [file.clone(), format!("{file}.root")]
    });
    let same = |at: usize| {
        let read = |file: &str| std::fs::read(file).unwrap_or_else(|e| panic!("{file}: {e}"));
        read(&files[0][at]) == read(&files[1][at])
    };
    assert!(same(0) && same(1), "both clients write the same two files");
    daemon.lxc(["image", "delete", "qcow2"]).ok();
    daemon.cli(["image", "import", &files[0][0], &files[0][1], "--alias", "qcow2"]).ok();

    // One that stands on another file would have that read from here.
    for format in ["qcow2", "vmdk"] {
        let (base, over) = (place(format), place(&format!("over-{format}")));
        lab::host(&["qemu-img", "create", "-q", "-f", format, "-b", &base, "-F", format, &over])
            .ok();
        daemon.lxc(["image", "import", &over]).fails_with("stands on another file");
    }
    std::fs::write(place("text"), "no disk").unwrap_or_else(|e| panic!("{e}"));
    daemon.lxc(["image", "import", &place("text")]).fails_with("is not an image");
}

#[test]
fn a_disk_is_used_as_its_options_say() {
    let Some(daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    for volume in ["blk", "nvme"] {
        daemon
            .lxc(["storage", "volume", "create", "default", volume, "--type=block", "size=32MiB"])
            .ok();
    }
    daemon.lxc(["init", "tiny", "v", "--vm"]).ok();
    let add = |name: &str, bus: &str| {
        let (source, bus) = (format!("source={name}"), format!("io.bus={bus}"));
        let words = ["config", "device", "add", "v", name, "disk", "pool=default", &source, &bus];
        daemon.run(Client::Lxc, &words).ok();
    };
    add("blk", "virtio-blk");
    daemon.lxc(["config", "device", "set", "v", "blk", "io.cache=none", "limits.read=4MiB"]).ok();
    daemon.cli(["start", "v"]).ok();
    let sh = |line: &str| {
        lab::within(std::time::Duration::from_secs(90), "the agent answers", || {
            (daemon.cli(["exec", "v", "--", "true"]).status == 0).then_some(())
        });
        daemon.sh("v", line)
    };
    sh("test -b /dev/vda").ok();
    add("nvme", "nvme");
    until("the guest has an nvme disk", || (sh("test -b /dev/nvme0n1").status == 0).then_some(()));

    // 12 MiB at 4 MiB a second, of which some may come at once.
    let began = std::time::Instant::now();
    sh("dd if=/dev/vda of=/dev/null bs=1M count=12 iflag=direct").ok();
    assert!(began.elapsed().as_millis() > 1500, "it took {:?}", began.elapsed());
    daemon.lxc(["config", "device", "unset", "v", "blk", "limits.read"]).ok();

    daemon.busybox("c");
    daemon
        .lxc(["config", "device", "override", "c", "root", "limits.max=10MB"])
        .fails_with("only a virtual machine");
    daemon.lxc(["config", "device", "set", "v", "blk", "limits.max=fast"]).fails_with("200iops");
}
