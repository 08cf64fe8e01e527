//! Limits of ports.

use super::{Plane, act};
use crate::{Error, PortLimits, Result, bridge::check_name, limit};

impl Plane {
    /// Limits what goes over a port that is there, in place of earlier limits.
    ///
    /// # Errors
    /// nft refuses: there is no such link, or the kernel cannot (what an instance gets: before Linux 5.16).
    pub async fn limit_port(&self, wanted: &PortLimits) -> Result<()> {
        check_name(&wanted.host_name)?;
        act::nft(&wanted.host_name, limit::document(&self.tag, wanted)).await
    }

    /// Lets everything go over a port again; it need not have been limited, or be there.
    ///
    /// # Errors
    /// nft refuses.
    pub async fn unlimit_port(&self, host_name: &str) -> Result<()> {
        let table = limit::table(&self.tag, host_name);
        let remove = move || exec::nft::remove_table(exec::nft::Family::Netdev, &table);
        let network = host_name.to_owned();
        act::blocking(remove).await.map_err(|source| Error::Firewall { network, source })
    }
}
