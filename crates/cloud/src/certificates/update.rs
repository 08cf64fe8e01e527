//! Changes what is known of a trusted certificate; also the certificate itself, when a client has a new one.

use wire::CertificatePut;

use crate::{
    Caller, Error, Result, World,
    db::certificates as rows,
    etag::{self, IfMatch},
};

/// Changes it to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    fingerprint: &str,
    seen: IfMatch,
    change: impl Fn(CertificatePut) -> Result<CertificatePut> + Send + Sync,
) -> Result<()> {
    let now = world
        .store
        .write(|db| {
            let row = super::find(db, fingerprint)?;
            let (id, before) = (row.id, row.fingerprint.clone());
            let old = super::render(row).writable();
            etag::check(&seen, &old, "certificate", &before)?;
            let mut wanted = change(old.clone())?;
            if wanted.certificate.is_empty() {
                wanted.certificate = old.certificate;
            }
            let new = rows::Certificate { id, ..super::row(db, wanted)? };
            if new.fingerprint != before && rows::get(db, &new.fingerprint)?.is_some() {
                return Err(Error::exists("certificate", &new.fingerprint));
            }
            rows::update(db, &new)?;
            Ok(new.fingerprint)
        })
        .await?;
    let address = super::address(&now);
    world.tell(caller, crate::names::DEFAULT_PROJECT, "certificate-updated", address);
    Ok(())
}
