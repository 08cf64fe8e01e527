//! Network cards as the guest is to have them (`agent.nic_config`): those that there are at its start its agent finds on its
//! drive, and of one that is plugged later it is told.

use agent::{Nic, Nics};
use vm::{Layout, Qmp};

use super::{
    super::guests::Guest,
    power::{self, At},
};
use crate::{Result, World, networks::port::Port};

/// What the guest is told of one.
pub(super) fn nic(port: &Port<'_>) -> Nic {
    Nic { hwaddr: port.hwaddr().to_string(), name: port.name().to_owned(), mtu: port.mtu() }
}

/// Gives a machine that runs a card; where its guest is to have the device's name for it, the agent sees to that.
pub(super) async fn plug(
    world: &World,
    guest: &Guest,
    qmp: &Qmp,
    (device, port): (&str, &Port<'_>),
    named: bool,
) -> Result<()> {
    let layout = Layout::default();
    power::plug_card(world, qmp, device, port, At { boot: None, layout: &layout }).await?;
    if named && let Some(agent) = guest.agent() {
        // A guest that cannot is no reason to refuse the card, and an older agent does not know how.
        if let Err(error) = agent.name_cards(&Nics { nics: vec![nic(port)] }).await {
            let error = tasks::chain(&error);
            tracing::warn!(name = guest.name(), device, error, "a card's name in the guest");
        }
    }
    Ok(())
}
