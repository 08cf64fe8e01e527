//! A disk that a virtual machine boots from, made of a folder and without mounting anything.
//!
//! ```text
//! packages in rootfs/ ──mke2fs -d──> ext4 ┐
//! shim, GRUB ─────────────mtools──> FAT   ├─> root.img (GPT) ──qemu-img──> disk.qcow2
//!                                   table ┘
//! ```
//! What boots is the distribution's own chain, which Microsoft and the distribution have signed: shim, GRUB,
//! kernel. So it boots with secure boot and without. The root is as large as its disk after the first boot.

mod gpt;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use exec::{Control, Progress};

use self::gpt::{Partition, Purpose};
use super::files;
use super::recipe::Release;
use crate::error::At;
use crate::{Error, Result};

/// Bytes of the disk, before an instance gives it another size.
const SIZE: u64 = 2 << 30;
/// Where the first partition begins, as usual.
const START: u64 = 1 << 20;
/// Two loaders are 4 MiB; FAT32 begins at 33.
const LOADER: u64 = 64 << 20;
/// What the second table takes, and a whole MiB.
const END: u64 = 1 << 20;

/// What a machine needs beyond what a container has, whatever the distribution.
pub(super) const PACKAGES: [&str; 7] =
    ["e2fsprogs", "initramfs-tools", "kmod", "shim-signed", "udev", "zstd", "dosfstools"];

/// Before the kernel is installed, so that it makes a small initial memory at once: what a machine's disks and
/// their files need, not what all hardware does.
pub(super) const BEFORE_KERNEL: &str = "\
mkdir -p \"$1/etc/initramfs-tools/conf.d\" && \
printf 'MODULES=list\\nCOMPRESS=zstd\\n' >\"$1/etc/initramfs-tools/conf.d/microcloud\" && \
printf 'virtio_pci\\nvirtio_scsi\\nvirtio_blk\\nsd_mod\\next4\\n' >\"$1/etc/initramfs-tools/modules\" && \
printf 'do_symlinks=yes\\nlink_in_boot=yes\\n' >\"$1/etc/kernel-img.conf\"";

const NETWORK: &str = "\
[Match]
Type=ether

[Network]
DHCP=ipv4
IPv6AcceptRA=yes

[DHCPv4]
UseDomains=yes
ClientIdentifier=mac

[IPv6AcceptRA]
UseDomains=yes
";

/// systemd makes the partition as large as the disk; `x-systemd.growfs` then the file system.
const GROW: &str = "[Partition]\nType=root\n";

/// The loaders on the firmware's partition are copies that no package knows of.
const LOADER_HOOK: &str =
    "DPkg::Post-Invoke { \"/usr/local/lib/microcloud/update-loader || :\"; };\n";

const UPDATE_LOADER: &str = include_str!("files/update-loader");

/// A disk that was made.
#[derive(Debug)]
pub(super) struct Disk {
    /// As it is, with holes.
    pub(super) raw: PathBuf,
    /// Packed.
    pub(super) qcow2: PathBuf,
}

/// Names by which parts of a disk are found.
struct Names {
    disk: String,
    loader: String,
    root: String,
    files: String,
}

/// The signed loaders of this architecture: what firmware calls the first, and where they come from.
struct Loaders {
    boot: &'static str,
    grub: &'static str,
    /// Ubuntu's, then Debian's.
    shim: [&'static str; 2],
    grub_from: &'static str,
    console: &'static str,
}

const LOADERS: Loaders = if cfg!(target_arch = "aarch64") {
    Loaders {
        boot: "BOOTAA64.EFI",
        grub: "grubaa64.efi",
        shim: ["usr/lib/shim/shimaa64.efi.signed.latest", "usr/lib/shim/shimaa64.efi.signed"],
        grub_from: "usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed",
        console: "ttyAMA0",
    }
} else {
    Loaders {
        boot: "BOOTX64.EFI",
        grub: "grubx64.efi",
        shim: ["usr/lib/shim/shimx64.efi.signed.latest", "usr/lib/shim/shimx64.efi.signed"],
        grub_from: "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
        console: "ttyS0",
    }
};

/// Makes a disk of a root with the packages of a machine.
pub(super) fn make(release: &Release, root: &Path, work: &Path, control: &Control) -> Result<Disk> {
    let names = Names { disk: uuid()?, loader: uuid()?, root: uuid()?, files: uuid()? };
    settings(root, &names)?;
    let raw = work.join("root.img");
    let disk = File::create_new(&raw).at("create", &raw)?;
    disk.set_len(SIZE).at("size", &raw)?;
    let length = SIZE - START - LOADER - END;
    control.report(Progress::stage("make file system"));
    exec::mkfs::populate(&raw, START + LOADER, length, (&names.files, root), control)?;
    control.report(Progress::stage("make disk"));
    loader(release, root, &raw, &names, control)?;
    let partition = |purpose, uuid: &str, start, length| Partition {
        purpose,
        uuid: uuid.to_owned(),
        start,
        length,
    };
    let partitions = [
        partition(Purpose::Loader, &names.loader, START, LOADER),
        partition(Purpose::Root, &names.root, START + LOADER, length),
    ];
    let (begin, end) = gpt::tables(SIZE, &names.disk, &partitions);
    disk.write_all_at(&begin, 0).at("write", &raw)?;
    disk.write_all_at(&end, SIZE - end.len() as u64).at("write", &raw)?;
    control.report(Progress::stage("pack disk"));
    let qcow2 = work.join("disk.qcow2");
    exec::qemu_img::pack(&raw, exec::qemu_img::From::Raw, &qcow2, control)?;
    Ok(Disk { raw, qcow2 })
}

fn settings(root: &Path, names: &Names) -> Result<()> {
    files::write(root, "etc/systemd/network/50-wired.network", 0o644, NETWORK)?;
    files::write(root, "etc/repart.d/50-root.conf", 0o644, GROW)?;
    let fstab = format!(
        "UUID={} / ext4 defaults,x-systemd.growfs 0 1\n\
         PARTUUID={} /boot/efi vfat umask=0077,noauto,x-systemd.automount,x-systemd.idle-timeout=60 0 2\n",
        names.files, names.loader,
    );
    files::write(root, "etc/fstab", 0o644, &fstab)?;
    files::folder(root, "boot/efi", 0o755)?;
    files::write(root, "boot/grub/grub.cfg", 0o644, &menu(names))?;
    let (setup, service, rules) = (vm::drive::SETUP, vm::drive::SERVICE, vm::drive::RULES);
    files::write(root, vm::drive::SETUP_PATH, 0o755, setup)?;
    files::write(root, "etc/systemd/system/microcloud-agent.service", 0o644, service)?;
    files::write(root, "etc/udev/rules.d/99-microcloud-agent.rules", 0o644, rules)?;
    let wants = "etc/systemd/system/sysinit.target.wants";
    files::folder(root, wants, 0o755)?;
    files::link(root, &format!("{wants}/microcloud-agent.service"), "../microcloud-agent.service")?;
    // It notes which of GRUB's systems booted well, for a menu that asks. Ours does not.
    files::link(root, "etc/systemd/system/grub-common.service", "/dev/null")?;
    files::write(root, "usr/local/lib/microcloud/update-loader", 0o755, UPDATE_LOADER)?;
    files::write(root, "etc/apt/apt.conf.d/90-microcloud-loader", 0o644, LOADER_HOOK)
}

/// The kernel that the distribution's links name, and the one before it.
fn menu(names: &Names) -> String {
    let entry = |title: &str, more: &str| {
        format!(
            "menuentry '{title}' {{\n\
             \tlinux /boot/vmlinuz{more} root=UUID={} ro quiet console=tty0 console={}\n\
             \tinitrd /boot/initrd.img{more}\n}}\n",
            names.files, LOADERS.console,
        )
    };
    let (now, before) = (entry("Linux", ""), entry("Linux, the kernel before", ".old"));
    format!("set timeout_style=hidden\nset timeout=0\nset default=0\n{now}{before}")
}

/// Fills the partition that the firmware reads.
fn loader(
    release: &Release,
    root: &Path,
    raw: &Path,
    names: &Names,
    control: &Control,
) -> Result<()> {
    let shim = LOADERS.shim.map(|path| root.join(path)).into_iter().find(|path| path.is_file());
    let absent = Error::Missing { what: "a signed loader in the image", package: "shim-signed" };
    let shim = shim.ok_or(absent)?;
    let first = raw.with_file_name("grub.cfg");
    let text = format!(
        "search --no-floppy --fs-uuid --set=root {}\n\
         set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n",
        names.files
    );
    fs::write(&first, text).at("write", &first)?;
    let fat = exec::mtools::Fat { file: raw, start: START };
    fat.make(LOADER / gpt::SECTOR, control)?;
    // GRUB as the distribution has signed it looks in a folder of the distribution's name.
    let own = format!("EFI/{}", release.distribution.id);
    for folder in ["EFI", "EFI/BOOT", &own] {
        fat.folder(folder, control)?;
    }
    fat.copy(&shim, &format!("EFI/BOOT/{}", LOADERS.boot), control)?;
    fat.copy(&root.join(LOADERS.grub_from), &format!("EFI/BOOT/{}", LOADERS.grub), control)?;
    fat.copy(&first, &format!("{own}/grub.cfg"), control)?;
    Ok(())
}

/// A new UUID, from the kernel.
fn uuid() -> Result<String> {
    let path = "/proc/sys/kernel/random/uuid";
    Ok(fs::read_to_string(path).at("read", path)?.trim().to_owned())
}
