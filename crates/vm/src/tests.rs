#![allow(clippy::unwrap_used, reason = "tests")]

//! Golden tests: `MICROCLOUD_BLESS=1` writes the files anew.

use std::{env, fs, path::Path};

use super::*;

fn golden(name: &str, machine: &Machine) {
    let folders = Folders {
        io: "/state/machines/default_v1/io".into(),
        drive: "/state/machines/default_v1/drive".into(),
        nvram: Some("/pool/v1/OVMF_VARS_4M.ms.fd".into()),
        boot: Some("/pool/v1/boot".into()),
        tpm: machine.tpm.then(|| "/pool/v1/nvram/tpm.chip".into()),
    };
    let (mounts, devices) = confine(machine, &folders);
    let mut text = command(machine).join("\n");
    for mount in &mounts {
        text += &format!("\nmount {} {}", mount.source.display(), mount.target.display());
        text += if mount.readonly { " ro" } else { " rw" };
    }
    for device in &devices {
        text += &format!("\ndevice {}", device.path.display());
    }
    text.push('\n');
    compare(name, &text);
}

pub(crate) fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden").join(name);
    if env::var_os("MICROCLOUD_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "{}", path.display());
}

fn machine() -> Machine {
    Machine {
        name: "v1".into(),
        uuid: "3f4cb2b4-3ea9-4a0c-8d4e-0f7f2c6a4c55".into(),
        architecture: "x86_64".into(),
        accel: Accel::Kvm,
        memory: 1 << 30,
        huge_pages: false,
        cpus: 2,
        most_cpus: 4,
        nodes: Vec::new(),
        places: 8,
        seed: false,
        tpm: true,
        boot: Boot::Firmware(Firmware::Uefi {
            code: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd".into(),
            variables: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd".into(),
            secure: true,
        }),
        screen: Screen::Spice,
        extra: Vec::new(),
    }
}

#[test]
fn a_machine_with_secure_boot() {
    golden("secure.txt", &machine());
}

#[test]
fn a_machine_that_boots_a_kernel_at_once() {
    let boot = Boot::Kernel { initrd: true, cmdline: "console=ttyS0 quiet".into() };
    let (screen, extra) = (Screen::None, vec!["-device".into(), "pvpanic-pci".into()]);
    let kernel =
        Machine { accel: Accel::Tcg, seed: true, tpm: false, boot, screen, extra, ..machine() };
    golden("kernel.txt", &kernel);
}

#[test]
fn a_machine_on_two_nodes_of_the_host() {
    let nodes = [(0, vec![0, 2]), (1, vec![1, 3])];
    let nodes = nodes.map(|(host, cpus)| Node { host, cpus }).to_vec();
    let memory = 1025 << 20;
    golden("numa.txt", &Machine { nodes, memory, tpm: false, screen: Screen::None, ..machine() });
}

#[test]
fn an_arm_machine() {
    let boot = Boot::Firmware(Firmware::Uefi {
        code: "/usr/share/AAVMF/AAVMF_CODE.fd".into(),
        variables: "/usr/share/AAVMF/AAVMF_VARS.fd".into(),
        secure: false,
    });
    let arm = Machine { architecture: "aarch64".into(), boot, screen: Screen::Vnc, ..machine() };
    golden("arm.txt", &arm);
}
