//! A machine's socket to its host (vhost-vsock), by which the daemon reaches the agent past QEMU.

use std::os::fd::OwnedFd;

use crate::{
    Call, Error, Layout, Qmp, Result,
    hardware::{absent_is_fine, place},
};

/// What the card is called, and the host's end of it.
pub(crate) const CARD: &str = "vsock";
/// The kind of card, as QEMU lists it.
pub(crate) const KIND: &str = "child<vhost-vsock-pci>";

/// Whether a machine that goes on with its memory has one.
pub fn had_vsock(layout: &Layout) -> bool {
    layout.cards.contains_key(CARD)
}

/// Gives a machine one, of that number, by `/dev/vhost-vsock`.
///
/// # Errors
/// Another machine has the number, there is no place for another card, or QEMU refuses; then it is as before.
pub async fn add_vsock(qmp: &Qmp, cid: u32, file: OwnedFd, layout: &Layout) -> Result<()> {
    let bus = place(qmp, CARD, layout).await?;
    qmp.call_with(Call::new("getfd").with("fdname", CARD), vec![file]).await?;
    if let Err(error) = qmp.call(card(cid, &bus)).await {
        absent_is_fine(qmp.call(Call::new("closefd").with("fdname", CARD)).await)?;
        return Err(error);
    }
    Ok(())
}

fn card(cid: u32, bus: &str) -> Call {
    Call::new("device_add")
        .with("driver", "vhost-vsock-pci")
        .with("id", CARD)
        .with("guest-cid", cid)
        .with("vhostfd", CARD)
        .with("bus", bus)
}

/// The number of a machine that has one.
///
/// # Errors
/// QEMU does not say.
pub async fn vsock_number(qmp: &Qmp) -> Result<Option<u32>> {
    let path = format!("/machine/peripheral/{CARD}");
    let ask = Call::new("qom-get").with("path", path).with("property", "guest-cid");
    match qmp.call(ask).await {
        Ok(number) => Ok(number.as_u64().and_then(|number| u32::try_from(number).ok())),
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemu_gets_the_hosts_end_open() {
        let call = serde_json::to_string(&card(77, "port0")).unwrap();
        let expected = r#"{"execute":"device_add","arguments":{"bus":"port0","driver":"vhost-vsock-pci","guest-cid":77,"id":"vsock","vhostfd":"vsock"}}"#;
        assert_eq!(call, expected);
    }
}
