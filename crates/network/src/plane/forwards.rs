//! What goes on to instances.

use super::{Plane, act};
use crate::{Error, Forward, Result, forward};

impl Plane {
    /// Sends packets on to an instance, in place of what was sent on to it before.
    ///
    /// # Errors
    /// nft refuses; the kernel may lack address translation.
    pub async fn forward(&self, id: &str, forwards: &[Forward]) -> Result<()> {
        act::nft(id, forward::document(&self.tag, id, forwards)).await
    }

    /// Sends nothing on to an instance any more; it need not have been.
    ///
    /// # Errors
    /// nft refuses.
    pub async fn unforward(&self, id: &str) -> Result<()> {
        let table = forward::table(&self.tag, id);
        let remove = move || exec::nft::remove_table(exec::nft::Family::Inet, &table);
        let network = id.to_owned();
        act::blocking(remove).await.map_err(|source| Error::Firewall { network, source })
    }
}
