//! The certificate that all members show clients, replaced. It stands in the database, with its key; each member
//! writes it to its files and shows it from then on.
//!
//! ```text
//! PUT ──> database ──> each member: files, then doors       at once, or at its start if it was off
//!            a crash between the two files: written again before the doors open
//! ```

use std::{fs, path::Path, sync::Arc, time::Duration};

use tasks::{Reconciler, Report};
use tls::Identity;
use wire::ClusterCertificatePut;

use super::clustered;
use crate::{
    Caller, Error, Result, World,
    db::cluster_certificate::{self as rows, Shared},
    names::DEFAULT_PROJECT,
    server::doors,
};

/// What wakes those who show it: another one was given.
pub const CERTIFICATE: &str = "cluster certificate";

/// The level of the database that has room for it. A member of an older version holds the level back.
const LEVEL: u32 = 12;

/// Has all members show another certificate. Clients that know the one of before will see that it is another.
pub async fn replace_certificate(
    world: &World,
    caller: &Caller,
    put: ClusterCertificatePut,
) -> Result<()> {
    clustered(world)?;
    if world.store.status().schema_level < LEVEL {
        return Err(Error::Unsupported(
            "another certificate, while a member is of an older version,",
        ));
    }
    let new = Shared { certificate: put.cluster_certificate, key: put.cluster_certificate_key };
    let bad = |why| Error::invalid("cluster certificate", why);
    let identity = Identity::parse(&new.certificate, &new.key).map_err(bad)?;
    // Key and certificate must belong together.
    tls::member_acceptor(&identity, &identity).map_err(bad)?;
    world.store.write(|db| Ok::<_, Error>(rows::set(db, &new)?)).await?;
    show(world).await?;
    let source = String::from("/1.0/cluster/certificate");
    world.tell(caller, DEFAULT_PROJECT, "cluster-certificate-updated", source);
    Ok(())
}

/// Writes the certificate that was given last to this member's files; whether that changed them. Before the doors
/// open.
pub fn keep_certificate(world: &World) -> Result<bool> {
    if world.store.status().schema_level < LEVEL {
        return Ok(false);
    }
    let Some(wanted) = world.store.read(|db| Ok::<_, Error>(rows::get(db)?))? else {
        return Ok(false);
    };
    let (certificate, key) = (world.dirs.cluster_certificate(), world.dirs.cluster_key());
    // One that cannot be read is written anew.
    let is = |path: &Path, text: &str| fs::read_to_string(path).is_ok_and(|found| found == text);
    if is(&certificate, &wanted.certificate) && is(&key, &wanted.key) {
        return Ok(false);
    }
    world.keep_shared_identity(&wanted.certificate, &wanted.key)?;
    Ok(true)
}

/// Shows clients that come from now on the certificate that was given last.
async fn show(world: &World) -> Result<bool> {
    let changed = keep_certificate(world)?;
    if changed {
        doors::renew(world).await?;
        tracing::info!("clients are shown another certificate");
    }
    Ok(changed)
}

/// Shows what another member was given.
pub struct Certificate;

#[async_trait::async_trait]
impl Reconciler<World> for Certificate {
    fn name(&self) -> &'static str {
        "certificate of the cluster"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[CERTIFICATE]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if world.is_clustered() {
            match show(world).await {
                Ok(changed) => report.changed += usize::from(changed),
                Err(error) => report.fail(Arc::new(error)),
            }
        }
        report
    }
}
