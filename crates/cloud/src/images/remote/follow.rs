//! Brings images up to date that are to follow their server (`images.auto_update_interval`), and deletes those that
//! were only fetched for an instance, or built for one, and were not used for long (`images.remote_cache_expiry`).

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use options::{Options, server::ServerOptions};
use store::Role;
use tasks::{Reconciler, Report};

use super::{Origin, refresh};
use crate::{
    Caller, Error, Result, World,
    db::{
        images::{self as rows, Image},
        instances::Made,
        server,
    },
    images,
};

/// Looks after images of other servers. In a cluster the leader does, for all.
#[derive(Default)]
pub struct Follow {
    /// When the servers of images were asked last, by fingerprint.
    asked: HashMap<String, DateTime<Utc>>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Follow {
    fn name(&self) -> &'static str {
        "images of other servers"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10 * 60)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if world.is_clustered() && world.store.status().role != Role::Leader {
            return report;
        }
        match due(world, &self.asked, clock::utc()) {
            Ok(due) => {
                for (image, what) in due {
                    self.asked.insert(image.fingerprint.clone(), clock::utc());
                    report.note(done(world, &image, what).await);
                }
            }
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}

/// What is to be done with an image.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Refresh,
    Delete,
}

async fn done(world: &Arc<World>, image: &Image, what: What) -> Result<()> {
    let (caller, project, print) = (Caller::default(), &image.project, &image.fingerprint);
    let operation = match what {
        What::Refresh => refresh(world, &caller, project, print)?,
        What::Delete => images::delete(world, &caller, project, print)?,
    };
    // A server that is off is nothing that this one could mend: it is asked again in some hours.
    if let Err(why) = operation.result().await {
        tracing::warn!(image = print, ?why, "an image could not be brought up to date");
    }
    Ok(())
}

fn due(
    world: &World,
    asked: &HashMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Vec<(Image, What)>> {
    let (rows, options) = world.store.read(|db| {
        Ok::<_, Error>((rows::all(db)?, ServerOptions::parse_known(&server::get(db)?)?))
    })?;
    let rows = rows.into_iter().filter(|image| image.made == Made::Ready);
    let what = |image: Image| Some((what(&image, &options, asked, now)?, image));
    Ok(rows.filter_map(what).map(|(what, image)| (image, what)).collect())
}

fn what(
    image: &Image,
    options: &ServerOptions,
    asked: &HashMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<What> {
    let days = TimeDelta::days(options.images_remote_cache_expiry.into());
    let used = image.last_used_at.max(image.uploaded_at);
    if image.cached && !days.is_zero() && now - used > days {
        return Some(What::Delete);
    }
    let hours = TimeDelta::hours(options.images_auto_update_interval.into());
    let asked = asked.get(&image.fingerprint).unwrap_or(&image.uploaded_at);
    let follows = image.auto_update && !hours.is_zero() && Origin::of_row(image).is_some();
    // The clock may have been ahead then.
    (follows && (now - *asked).abs() > hours).then_some(What::Refresh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::images::Source;

    #[test]
    fn images_are_asked_about_after_hours_and_deleted_after_days() {
        let now = Utc::now();
        let image = |cached, auto_update, server: &str, hours| Image {
            id: 1,
            project: String::from("default"),
            fingerprint: String::from("aa"),
            kind: String::from("container"),
            filename: String::new(),
            size: 0,
            architecture: String::new(),
            public: false,
            auto_update,
            cached,
            properties: [].into(),
            source: Source {
                protocol: String::from("simplestreams"),
                alias: String::from("debian/12"),
                server: server.to_owned(),
                ..Source::default()
            },
            created_at: now,
            expires_at: DateTime::UNIX_EPOCH,
            uploaded_at: now - TimeDelta::hours(hours),
            last_used_at: DateTime::UNIX_EPOCH,
            made: Made::Ready,
        };
        let (options, there) = (
            ServerOptions::parse_known(&options::Raw::default()).unwrap(),
            "https://images.example.org",
        );
        for (image, wanted) in [
            (image(true, true, there, 5), None),
            (image(true, true, there, 7), Some(What::Refresh)),
            (image(true, false, there, 7), None),
            (image(false, true, "", 7), None),
            (image(true, true, there, 11 * 24), Some(What::Delete)),
            (image(false, false, there, 11 * 24), None),
        ] {
            assert_eq!(what(&image, &options, &HashMap::new(), now), wanted, "{image:?}");
        }
        let asked = HashMap::from([(String::from("aa"), now)]);
        assert_eq!(what(&image(true, true, there, 7), &options, &asked, now), None);
    }
}
