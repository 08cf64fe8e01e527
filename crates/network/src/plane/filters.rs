//! Filters of ports.

use super::{Plane, act};
use crate::{Error, PortFilter, Result, bridge::check_name, filter};

impl Plane {
    /// Lets a port send only what the filter allows, in place of an earlier filter. Best before the
    /// port is attached: the rules name the link, which need not exist yet.
    ///
    /// # Errors
    /// nft refuses; the kernel may lack the bridge family.
    pub async fn filter_port(&self, wanted: &PortFilter) -> Result<()> {
        check_name(&wanted.host_name)?;
        act::nft(&wanted.host_name, filter::document(&self.tag, wanted)).await
    }

    /// Lets a port send everything again; it need not have a filter.
    ///
    /// # Errors
    /// nft refuses.
    pub async fn unfilter_port(&self, host_name: &str) -> Result<()> {
        let table = filter::table(&self.tag, host_name);
        let remove = move || exec::nft::remove_table(exec::nft::Family::Bridge, &table);
        let network = host_name.to_owned();
        act::blocking(remove).await.map_err(|source| Error::Firewall { network, source })
    }
}
