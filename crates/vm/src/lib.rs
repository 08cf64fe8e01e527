//! Virtual machines: how QEMU is to run, and talking with it while it does.
//!
//! ```text
//! Machine ── command ──> arguments ─┐
//!         └─ confine ──> mounts ────┴─> spec::InstanceSpec, which a monitor runs as it runs a container
//! drive ─── a folder and a disc that bring the agent into the guest
//! Qmp ── hardware ──> disks and network cards, before the first instruction and while it runs
//!     └─ passed ────> devices of the server, which host finds and takes from their drivers
//! ```
//! QEMU is the first process of a container that has nothing in it but the host's programs, read-only: its own
//! user, mounts, processes and an empty network. What the machine uses of the host (disks, taps) it gets
//! as open descriptors over QMP. So a machine's monitor, console, limits and end are those of a
//! container, and so is what a hostile guest finds that breaks out of QEMU.
//!
//! What a machine is made of is pure ([`command`], [`confine`], [`hardware`]); [`Qmp`] acts.

mod accel;
mod adopt;
mod command;
mod confine;
pub mod drive;
mod error;
mod firmware;
mod hardware;
pub mod host;
mod late;
mod live;
mod machine;
mod memory;
mod numa;
mod passed;
mod qmp;
mod screen;
mod shares;
mod size;
mod tpm;
mod traffic;
mod trouble;
mod variables;
mod vsock;

pub use accel::Accel;
pub use adopt::adopted;
pub use command::command;
pub use confine::{BOOT, DRIVE, Folders, IO, NVRAM, confine};
pub use error::{Error, Result};
pub use firmware::{Firmware, Loader, find as find_firmware};
pub use hardware::{
    Bus, Cache, Card, Disk, Manner, Medium, Rate, add_card, add_disk, grow_disk, remove_card,
    remove_disk, set_rates,
};
pub use late::{Late, add_late, move_variables, put_behind};
pub use live::{
    Mirror, Moved, NBD_SOCKET, arrive, depart, downtime, export, go_on, let_go, listen, stay,
    unexport,
};
pub use machine::{AGENT_SOCKET, Boot, Machine, QMP_SOCKET};
pub use memory::{Layout, give_up, layout, load, same_again, save};
pub use numa::Node;
pub use passed::{add_pci, add_usb, remove_usb, usb_id, usb_place, usb_there};
pub use qmp::{Call, Event, Qmp, Stamp, open_socket};
pub use screen::{SPICE_SOCKET, Screen, VNC_SOCKET};
pub use shares::{Virtiofsd, add_share, remove_share, share_place, share_socket, share_tag};
pub use size::{
    NEAR, memory_now, most_memory, processors, processors_now, set_memory, set_processors, threads,
};
pub use tpm::{TPM_SOCKET, has_tpm, tpm_command};
pub use traffic::disk_traffic;
pub use trouble::Happening;
pub use variables::{
    Variable, Variables, is_name as is_variable, read as read_variables, write as write_variables,
};

pub use vsock::{add_vsock, had_vsock, vsock_number};

#[cfg(test)]
mod tests;
