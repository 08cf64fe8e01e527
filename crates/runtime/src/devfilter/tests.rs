//! The filter as text, as the kernel reads it, and in the kernel.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::machine::judge;
use super::*;

const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;
const BLOCK: u32 = 1;
const CHAR: u32 = 2;

#[test]
fn the_standard_devices_work_and_others_do_not() {
    let program = program(&rules(&[]));
    for (major, minor) in STANDARD {
        assert!(judge(&program, CHAR, READ | WRITE, major, minor), "{major}:{minor}");
    }
    assert!(judge(&program, CHAR, READ | WRITE | MAKE, PTS, 77));
    assert!(!judge(&program, CHAR, READ, 1, 1), "mem");
    assert!(!judge(&program, CHAR, READ, 1, 11), "kmsg");
    assert!(!judge(&program, BLOCK, READ, 1, 3), "a block device with the numbers of null");
    assert!(!judge(&program, BLOCK, READ, 8, 0), "sda");
    assert!(!judge(&program, CHAR, WRITE, 10, 237), "loop-control");
}

#[test]
fn nodes_may_be_made_for_all() {
    let program = program(&rules(&[]));
    assert!(judge(&program, BLOCK, MAKE, 8, 0) && judge(&program, CHAR, MAKE, 1, 1));
    assert!(!judge(&program, BLOCK, MAKE | READ, 8, 0), "but not read at once");
}

#[test]
fn devices_of_the_instance_are_added() {
    let devices = [DeviceNode::block("/dev/x", 8, 16), DeviceNode::character("/dev/y", 4095, 9)];
    let program = program(&rules(&devices));
    assert!(judge(&program, BLOCK, READ | WRITE, 8, 16) && judge(&program, CHAR, READ, 4095, 9));
    assert!(!judge(&program, BLOCK, READ, 8, 17));
}

#[test]
fn large_numbers_are_compared_whole() {
    let rule = Rule {
        kind: DeviceKind::Char,
        major: Some(4095),
        minor: Some(1_048_575),
        access: Access::ALL,
    };
    assert!(judge(&program(&[rule]), CHAR, READ, 4095, 1_048_575));
    assert!(!judge(&program(&[rule]), CHAR, READ, 4095, 65_535));
}

#[test]
fn lines_for_version_1() {
    let lines = v1_lines(&rules(&[DeviceNode::block("/dev/x", 8, 16)]));
    let lines: Vec<String> = lines.iter().map(|(file, line)| format!("{file} {line}")).collect();
    assert_eq!(lines[0], "devices.deny a");
    assert_eq!(lines[1], "devices.allow c *:* m");
    assert_eq!(lines[3], "devices.allow c 1:3 rwm");
    assert_eq!(lines[13], "devices.allow c 136:* rwm");
    assert_eq!(lines[14], "devices.allow b 8:16 rwm");
    assert_eq!(lines.len(), 15);
}

/// A control group of version 2 of our own, removed at the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.procs").exists())?;
        let path = root.join(format!("microcloud-devfilter-{}", std::process::id()));
        fs::create_dir(&path).ok()?;
        Some(Group(path))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn the_kernel_takes_it() {
    let Some(group) = Group::new() else {
        eprintln!("SKIP: no control group of version 2");
        return;
    };
    let folder = fs::File::open(&group.0).unwrap();
    if let Err(error) = sys::attach_device_filter(folder.as_fd(), &program(&rules(&[])), None) {
        eprintln!("SKIP: no device filter without privilege: {error}");
        return;
    }
    let script = "echo $$ > \"$0/cgroup.procs\" || exit 9
        head -c 1 /dev/zero > /dev/null || exit 1
        head -c 1 /dev/kmsg > /dev/null && exit 2
        exit 0";
    let tool = exec::Tool::new("sh", "dash").args(["-c", script]).arg(&group.0);
    match exec::run(tool, &exec::Control::none()) {
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(words.contains("kmsg") && words.contains("not permitted"), "{words}");
        }
        Err(error) => panic!("{error}"),
    }
}
