//! A machine as the arguments of QEMU. Disks and cards come later, over QMP.

use crate::{
    Accel, Boot, Firmware, Machine,
    confine::{BOOT, DRIVE, IO, NVRAM},
    drive,
    machine::{AGENT_SOCKET, QMP_SOCKET},
    numa, screen, tpm,
};

/// As many ports as a machine has at most.
pub(crate) const MOST_PORTS: usize = 32;
/// What the arguments of such a port begin with.
pub(crate) const PORT: &str = "pcie-root-port,id=port";

/// The name of the agent's port. Images made for LXD start their agent by it.
const AGENT_PORT: &str = "com.canonical.lxd";

/// Program and arguments. The machine waits for `cont` before its first instruction.
pub fn command(machine: &Machine) -> Vec<String> {
    let mut args = Arguments::default();
    args.0.push(format!("/usr/bin/qemu-system-{}", machine.architecture));
    args.flags(&["-no-user-config", "-nodefaults", "-S"]);
    args.pair("-name", format!("{},process=microcloud-vm", machine.name.replace(',', ",,")));
    args.pair("-uuid", &machine.uuid);
    args.pair(
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    );
    board(&mut args, machine);
    boot(&mut args, machine);
    args.pair("-rtc", "base=utc");
    args.pair("-chardev", format!("socket,id=qmp,path={IO}/{QMP_SOCKET},server=on,wait=off"));
    args.pair("-mon", "chardev=qmp,mode=control");
    // Its own output is the console, which is a terminal that the monitor holds.
    args.pair("-chardev", "stdio,id=console,signal=off");
    args.pair("-serial", "chardev:console");
    args.device("virtio-rng-pci");
    args.device("virtio-balloon-pci,id=balloon");
    args.device("virtio-serial-pci,id=serial");
    args.pair("-chardev", format!("socket,id=agent,path={IO}/{AGENT_SOCKET},server=on,wait=off"));
    args.device(&format!("virtserialport,bus=serial.0,name={AGENT_PORT},chardev=agent"));
    tpm::add(&mut args, machine);
    screen::add(&mut args, machine);
    let share = format!("local,id=drive,path={DRIVE},security_model=none,readonly=on");
    args.pair("-fsdev", share);
    args.device(&format!("virtio-9p-pci,fsdev=drive,mount_tag={}", drive::TAG));
    args.device("virtio-scsi-pci,id=scsi");
    args.0.extend(ports(machine.places));
    // Behind all that was there before them, whose places stay. A guest says by the first that it panicked; one that
    // hangs is started again by the second, if it asks for that. What follows a panic is the guest's choice.
    args.device("pvpanic-pci");
    args.device("i6300esb");
    args.pair("-action", "panic=none,watchdog=reset");
    args.0.extend_from_slice(&machine.extra);
    args.0
}

/// Ports for cards. Each costs a guest that moves a millisecond or two while it stands still: so there are not more than
/// somebody may want.
pub(crate) fn ports(count: usize) -> Vec<String> {
    let port = |place: usize| {
        // Eight functions share one slot of the bus.
        let (slot, function, chassis) = (0x10 + place / 8, place % 8, place + 1);
        let more = if function == 0 { ",multifunction=on" } else { "" };
        format!("{PORT}{place},bus=pcie.0,chassis={chassis},addr={slot:#x}.{function}{more}")
    };
    let all = (0..count.min(MOST_PORTS)).map(port);
    all.flat_map(|port| [String::from("-device"), port]).collect()
}

fn board(args: &mut Arguments, machine: &Machine) {
    let smm = match &machine.boot {
        Boot::Firmware(Firmware::Uefi { secure: true, .. }) => ",smm=on",
        _ => "",
    };
    let board = match machine.architecture.as_str() {
        "aarch64" => String::from("virt,gic-version=max"),
        _ => format!("q35{smm}"),
    };
    numa::add(args, machine, &board);
    // Arm's board cannot plug processors.
    let most = if machine.architecture == "aarch64" { machine.cpus } else { machine.most_cpus };
    let most = most.max(machine.cpus);
    // Those of one socket share a cache, and so must not be in two nodes.
    let apart = format!(",sockets={most},cores=1,threads=1");
    let apart = if machine.nodes.is_empty() { "" } else { &apart };
    args.pair("-smp", format!("{},maxcpus={most}{apart}", machine.cpus));
    match machine.accel {
        Accel::Kvm => {
            args.pair("-accel", "kvm");
            args.pair("-cpu", "host");
        }
        Accel::Tcg => {
            args.pair("-accel", "tcg,thread=multi");
            // Arm's signed pointers by the algorithm of the architecture take most of the time.
            let quick = if machine.architecture == "aarch64" { ",pauth-impdef=on" } else { "" };
            args.pair("-cpu", format!("max{quick}"));
        }
    }
    // cloud-init looks for this to know whose machine it is in.
    args.pair("-smbios", "type=2,manufacturer=Canonical Ltd.,product=LXD");
    if machine.seed {
        // It looks whose machine it is before discs are found. This says that there will be one.
        args.pair("-smbios", "type=1,serial=ds=nocloud");
    }
}

fn boot(args: &mut Arguments, machine: &Machine) {
    match &machine.boot {
        Boot::Firmware(Firmware::Bios) => {}
        Boot::Firmware(Firmware::Uefi { code, secure, .. }) => {
            if *secure && machine.architecture == "x86_64" {
                args.pair("-global", "driver=cfi.pflash01,property=secure,value=on");
            }
            let code = code.display().to_string().replace(',', ",,");
            args.pair("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"));
            args.pair("-drive", format!("if=pflash,unit=1,format=raw,file={NVRAM}"));
        }
        Boot::Kernel { initrd, cmdline } => {
            args.pair("-kernel", format!("{BOOT}/kernel"));
            if *initrd {
                args.pair("-initrd", format!("{BOOT}/initrd"));
            }
            args.pair("-append", cmdline);
        }
    }
}

#[derive(Default)]
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(|flag| (*flag).to_owned()));
    }

    pub(crate) fn pair(&mut self, flag: &str, value: impl Into<String>) {
        self.0.extend([flag.to_owned(), value.into()]);
    }

    pub(crate) fn device(&mut self, device: &str) {
        self.pair("-device", device);
    }
}
