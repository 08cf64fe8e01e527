//! The authority in `server.ca`, if there is one. Then only whose certificate it signed, and did not revoke in `ca.crl`,
//! is more than a stranger over the network. The files are read whenever somebody comes, so that what is revoked is out
//! with the next request.

use options::{Options, server::ServerOptions};
use tls::{Authority, Unsigned};

use crate::{Error, Result, World, db::server};

/// What an authority says of a certificate.
pub(super) enum Vouched {
    /// There is no authority.
    NoAuthority,
    /// It signed it.
    Signed,
    /// It did not, or not for now, or revoked it.
    Refused(Unsigned),
}

pub(super) fn vouch(world: &World, certificate: &[u8]) -> Result<Vouched> {
    let (authority, revoked) = (world.dirs.authority(), world.dirs.revoked());
    let found = Authority::find(&authority, &revoked).map_err(Error::Authority)?;
    Ok(match found.map(|authority| authority.vouch(certificate)) {
        None => Vouched::NoAuthority,
        Some(Ok(())) => Vouched::Signed,
        Some(Err(why)) => Vouched::Refused(why),
    })
}

/// Fails where a certificate would be trusted that is good for nothing here.
pub(super) fn check(world: &World, certificate: &[u8]) -> Result<()> {
    match vouch(world, certificate)? {
        Vouched::Refused(why) => {
            let why = format!("{why}: this server takes what the authority in server.ca signed");
            Err(Error::invalid("certificate", why))
        }
        Vouched::NoAuthority | Vouched::Signed => Ok(()),
    }
}

/// Whether what it signed needs nobody else to trust it.
pub(super) fn is_enough(world: &World) -> Result<bool> {
    let options =
        world.store.read(|db| Ok::<_, Error>(ServerOptions::parse_known(&server::get(db)?)?))?;
    Ok(options.trust_ca_certificates)
}
