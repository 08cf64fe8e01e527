//! Programs that the server starts.

use super::{Finding, Verdict, machine::Machine};

/// A program, the package of Debian and Ubuntu that has it, and what is not there without.
type Program = (&'static str, &'static str, &'static str);

const NEEDED: [Program; 1] = [("nft", "nftables", "networks")];
const OTHERS: [Program; 12] = [
    ("mmdebstrap", "mmdebstrap", "images built from Debian's archive"),
    ("mkfs.btrfs", "btrfs-progs", "storage pools of btrfs"),
    ("lvm", "lvm2", "storage pools of LVM"),
    ("zfs", "zfsutils-linux", "storage pools of ZFS"),
    ("rbd", "ceph-common", "storage pools in Ceph"),
    ("mkfs.ext4", "e2fsprogs", "volumes with ext4"),
    ("mkfs.xfs", "xfsprogs", "volumes with xfs"),
    ("cryptsetup", "cryptsetup-bin", "encrypted pools"),
    ("unsquashfs", "squashfs-tools", "images packed with squashfs"),
    ("qemu-img", "qemu-utils", "disk images of virtual machines"),
    ("swtpm", "swtpm", "TPMs of virtual machines"),
    ("mcopy", "mtools", "images of virtual machines that are built here"),
];
/// Where `virtiofsd` lies, which is in no search path.
const VIRTIOFSD: [&str; 3] =
    ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/libexec/qemu/virtiofsd"];

pub(super) fn look(machine: &Machine) -> Vec<Finding> {
    let qemu = [match machine.architecture.as_str() {
        "aarch64" => ("qemu-system-aarch64", "qemu-system-arm", "virtual machines"),
        _ => ("qemu-system-x86_64", "qemu-system-x86", "virtual machines"),
    }];
    let needed = missing(machine, &NEEDED).map(|one| lacks(Verdict::Wrong, one));
    let others = missing(machine, &OTHERS).chain(missing(machine, &qemu));
    let mut all: Vec<_> = needed.chain(others.map(|one| lacks(Verdict::Advice, one))).collect();
    if !VIRTIOFSD.iter().any(|path| machine.has(path)) && !machine.installed("virtiofsd") {
        let one = ("virtiofsd", "virtiofsd", "folders of the host in virtual machines");
        all.push(lacks(Verdict::Advice, one));
    }
    if all.is_empty() {
        all.push(Finding::well("programs", "all are installed"));
    }
    all
}

fn missing(machine: &Machine, programs: &[Program]) -> impl Iterator<Item = Program> {
    programs.iter().copied().filter(|(program, ..)| !machine.installed(program))
}

fn lacks(verdict: Verdict, (program, package, what): Program) -> Finding {
    Finding::new(verdict, "programs", format!("no {program}: no {what}"))
        .fix(format!("sudo apt install {package}"))
}
