//! Keeps each image on so many members of a cluster (`cluster.images_minimal_replica`), so that it is there when the one
//! that made it is off. Which ones is computed by all alike, from the image's and the members' names in a hash: nobody
//! needs to tell.

use std::{sync::Arc, time::Duration};

use options::{Options, server::ServerOptions};
use sha2::{Digest, Sha256};
use store::MemberId;
use tasks::{Reconciler, Report};

use super::{fetch, files};
use crate::{
    Error, Result, World,
    db::{
        images::{self as rows, Image},
        instances::Made,
        members::{self, Part},
        server,
    },
    reconcile::STATE,
};

/// Changes come in bursts, and an image may be about to be used here anyway: this long it waits.
const BURST: Duration = Duration::from_secs(2);

/// Fetches the images that this member is to keep.
pub struct Replicas;

#[async_trait::async_trait]
impl Reconciler<World> for Replicas {
    fn name(&self) -> &'static str {
        "replicas of images"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[STATE]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if !world.is_clustered() {
            return report;
        }
        tokio::time::sleep(BURST).await;
        match missing(world) {
            Ok(images) => {
                for image in images {
                    report.note(keep(world, &image).await);
                }
            }
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}

/// The images that are to be here and are not.
fn missing(world: &World) -> Result<Vec<Image>> {
    let mut found = world.store.read(|db| {
        let options = ServerOptions::parse_known(&server::get(db)?)?;
        let count = usize::try_from(options.images_minimal_replica.get()).unwrap_or(usize::MAX);
        let able = |part| matches!(part, Part::Ready | Part::Evacuated);
        let all = members::all(db)?.into_iter().filter(|member| able(member.part));
        let members: Vec<MemberId> = all.map(|member| member.id).collect();
        let mine = |image: &Image| keepers(&members, &image.fingerprint, count).contains(&db.me());
        let images = rows::all(db)?.into_iter().filter(|image| image.made == Made::Ready);
        Ok::<_, Error>(images.filter(mine).collect::<Vec<_>>())
    })?;
    // Several projects may have the same.
    found.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    found.dedup_by(|a, b| a.fingerprint == b.fingerprint);
    files::check_place(world)?;
    found.retain(|image| !files::are_here(world, &image.fingerprint).unwrap_or(true));
    Ok(found)
}

/// Which of the members keep an image. When one comes or goes, few others change.
fn keepers(members: &[MemberId], fingerprint: &str, count: usize) -> Vec<MemberId> {
    let mut ranked = members.to_vec();
    ranked.sort_by_cached_key(|id| Sha256::digest(format!("{fingerprint}/{id}")));
    ranked.truncate(count);
    ranked
}

async fn keep(world: &World, image: &Image) -> Result<()> {
    fetch::ensure(world, image).await?;
    // It may have been deleted meanwhile.
    files::drop_unused(world, &image.fingerprint).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_stays_where_it_is_when_others_come_and_go() {
        let before = keepers(&[1, 2, 3, 4, 5], "abc", 3);
        assert_eq!(before.len(), 3);
        assert_eq!(keepers(&[1], "abc", 3), [1]);
        assert_eq!(keepers(&[1, 2], "abc", usize::MAX).len(), 2);
        assert!(keepers(&[1, 2], "abc", 0).is_empty());
        let without: Vec<MemberId> = (1..=5).filter(|id| *id != before[0]).collect();
        let after = keepers(&without, "abc", 3);
        assert_eq!(after[..2], before[1..]);
        // Not the same ones for all images.
        let of = |fingerprint| keepers(&[1, 2, 3, 4, 5], fingerprint, 1);
        assert!(["a", "b", "c", "d", "e", "f"].iter().any(|one| of(one) != of("abc")));
    }
}
