//! A machine's screen, keyboard and pointer, and the servers inside QEMU that show them.
//!
//! One that boots a kernel at once has none: it talks on its serial port, and starts sooner without.

use std::path::Path;

use crate::{Boot, Machine, command::Arguments, confine::IO};

/// The socket where SPICE is spoken, in [`crate::IO`].
pub const SPICE_SOCKET: &str = "spice.sock";
/// The socket where VNC is spoken, in [`crate::IO`].
pub const VNC_SOCKET: &str = "vnc.sock";

/// QEMU's module for SPICE, where distributions have it; Debian 13 in a package of its own.
const SPICE_MODULES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/qemu/ui-spice-core.so",
    "/usr/lib/aarch64-linux-gnu/qemu/ui-spice-core.so",
    "/usr/lib64/qemu/ui-spice-core.so",
    "/usr/lib/qemu/ui-spice-core.so",
];

/// Who shows a machine's screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Nobody: there is none.
    None,
    /// VNC only: QEMU has no SPICE here.
    Vnc,
    /// Both.
    Spice,
}

impl Screen {
    /// What a machine that boots so can have on this host.
    pub fn of(boot: &Boot) -> Screen {
        match boot {
            Boot::Kernel { .. } => Screen::None,
            Boot::Firmware(_) if SPICE_MODULES.into_iter().any(|it| Path::new(it).exists()) => {
                Screen::Spice
            }
            Boot::Firmware(_) => Screen::Vnc,
        }
    }
}

/// The arguments for it. Whoever reaches the sockets needs no password.
pub(crate) fn add(args: &mut Arguments, machine: &Machine) {
    if machine.screen == Screen::None {
        args.pair("-display", "none");
        return;
    }
    let card = if machine.architecture == "x86_64" { "virtio-vga" } else { "virtio-gpu-pci" };
    args.device(&format!("{card},id=vga"));
    args.device("qemu-xhci,id=usb");
    args.device("usb-kbd,bus=usb.0");
    // Tells where it points, not how far it moved: the pointers on both screens stay together.
    args.device("usb-tablet,bus=usb.0");
    args.pair("-vnc", format!("unix:{IO}/{VNC_SOCKET}"));
    if machine.screen == Screen::Spice {
        let socket = format!("unix=on,addr={IO}/{SPICE_SOCKET},disable-ticketing=on");
        args.pair("-spice", socket);
        // The guest's SPICE agent: the clipboard, the size of the window.
        args.pair("-chardev", "spicevmc,id=vdagent,name=vdagent");
        args.device("virtserialport,bus=serial.0,name=com.redhat.spice.0,chardev=vdagent");
    }
}
