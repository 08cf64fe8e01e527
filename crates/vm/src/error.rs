//! What can go wrong with a machine.

use std::{io, time::Duration};

/// A failure of QEMU, or on the way to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// QEMU refused a command.
    #[error("QEMU refuses {command}: {why}")]
    Refused {
        /// The command.
        command: &'static str,
        /// QEMU's words.
        why: String,
    },
    /// The variables of a firmware cannot be read or written.
    #[error("UEFI variables: {why}")]
    Variables {
        /// Names the one, where it is one.
        why: String,
    },
    /// QEMU does not answer.
    #[error("QEMU did not answer {command} within {} seconds", patience.as_secs())]
    Silent {
        /// The command.
        command: &'static str,
        /// How long it was waited for.
        patience: Duration,
    },
    /// QEMU ended, or closed the connection.
    #[error("QEMU is gone")]
    Gone,
    /// The connection failed.
    #[error("{action} QEMU's socket")]
    Socket {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// What QEMU said is no QMP.
    #[error("QEMU's answer is not understood")]
    Answer(#[source] serde_json::Error),
    /// All places for cards are taken.
    #[error("the machine has no place for another card: it has {places}")]
    Full {
        /// How many there are.
        places: usize,
    },
    /// Nothing serves folders here.
    #[error(
        "virtiofsd is not installed here: install Debian's package virtiofsd (before Debian 13: qemu-system-common)"
    )]
    NoVirtiofsd,
    /// Nothing is a TPM here.
    #[error("swtpm is not installed here: install Debian's package swtpm")]
    NoSwtpm,
    /// The guest does not let go of a device.
    #[error("the guest did not let go of {device} within {} seconds", patience.as_secs())]
    Held {
        /// The device.
        device: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The guest does not follow the balloon.
    #[error(
        "the guest has {bytes} bytes of memory still, and not {wanted}: for {} seconds it gave nothing back, \
         because it uses it or has no driver for virtio-balloon", patience.as_secs()
    )]
    Keeps {
        /// What it has.
        bytes: u64,
        /// What it should have.
        wanted: u64,
        /// How long nothing changed.
        patience: Duration,
    },
    /// More processors than there are places for.
    #[error("the machine can have {most} processors until it is started again")]
    Processors {
        /// How many it can have.
        most: u32,
    },
    /// A device of the server's that cannot be had.
    #[error(transparent)]
    Host(#[from] crate::host::Error),
    /// A firmware that is not installed.
    #[error("no firmware for {what} is installed here: install Debian's package {package}")]
    NoFirmware {
        /// What it is for.
        what: &'static str,
        /// Where it comes from.
        package: &'static str,
    },
}

/// The result of anything here.
pub type Result<T> = std::result::Result<T, Error>;
