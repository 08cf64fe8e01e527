//! Finds the image that an instance is to be made of, and builds or fetches it if need be.

use serde::{Deserialize, Serialize};
use wire::InstanceSource;

use super::{
    BUILD_PROTOCOL, build,
    remote::{self, Origin, Said},
};
use crate::{
    Error, Result, World,
    db::{images as rows, images::Image, instances::Made},
    instances::Kind,
};

/// An image somebody wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wanted {
    project: String,
    /// What is to be made of it.
    #[serde(default)]
    kind: Kind,
    by: By,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum By {
    Alias(String),
    Fingerprint(String),
    Properties(wire::ConfigMap),
    Recipe(String),
    Origin(Origin),
}

impl Wanted {
    /// The image that a request names.
    pub(crate) fn from_source(
        project: &str,
        kind: Kind,
        source: &InstanceSource,
    ) -> Result<Wanted> {
        let by = if source.protocol == BUILD_PROTOCOL {
            By::Recipe(source.alias.clone())
        } else if !source.server.is_empty() {
            By::Origin(Origin::new(&Said {
                server: &source.server,
                protocol: &source.protocol,
                certificate: &source.certificate,
                secret: &source.secret,
                project: &source.project,
                alias: &source.alias,
                fingerprint: &source.fingerprint,
            })?)
        } else if !source.fingerprint.is_empty() {
            By::Fingerprint(source.fingerprint.clone())
        } else if !source.alias.is_empty() {
            By::Alias(source.alias.clone())
        } else if !source.properties.is_empty() {
            By::Properties(source.properties.clone())
        } else {
            return Err(Error::invalid("source", "an alias, fingerprint or properties are needed"));
        };
        Ok(Wanted { project: project.to_owned(), kind, by })
    }

    /// Fails early when the image cannot be provided.
    pub(crate) fn check(&self, db: &store::Read<'_>) -> Result<()> {
        match &self.by {
            By::Recipe(recipe) => build::check(recipe, self.kind),
            // What it has is asked when the work begins.
            By::Origin(_) => Ok(()),
            _ => find(db, self).map(drop),
        }
    }
}

/// The row of the image, which is built or fetched first if it is to be and is not there yet.
pub(crate) async fn provide(
    world: &World,
    wanted: &Wanted,
    control: &exec::Control,
) -> Result<Image> {
    let (project, kind) = (&wanted.project, wanted.kind);
    if let By::Recipe(recipe) = &wanted.by {
        return build::provide(world, project, (recipe, kind), control).await;
    }
    if let By::Origin(origin) = &wanted.by {
        return remote::provide(world, project, (origin, kind), control).await;
    }
    let image = world.store.read(|db| find(db, wanted))?;
    let recipe = &image.source.alias;
    // An alias names one image. The same recipe may make one of the other kind, which is what is meant.
    let other = Kind::of(&image.kind) != kind && image.source.protocol == BUILD_PROTOCOL;
    match other && build::check(recipe, kind).is_ok() {
        true => build::provide(world, project, (recipe, kind), control).await,
        false => Ok(image),
    }
}

fn find(db: &store::Read<'_>, wanted: &Wanted) -> Result<Image> {
    match &wanted.by {
        By::Alias(name) => {
            let home = super::home(db, &wanted.project)?;
            match rows::alias(db, &home, name)? {
                Some(alias) => super::find(db, &wanted.project, &alias.fingerprint),
                // The stock client sends a fingerprint as an alias when it cannot tell.
                None => super::find(db, &wanted.project, name),
            }
        }
        By::Fingerprint(fingerprint) => super::find(db, &wanted.project, fingerprint),
        By::Properties(properties) => newest(db, &wanted.project, properties),
        By::Recipe(recipe) => Err(Error::not_found("image", recipe)),
        By::Origin(origin) => Err(origin.not_there()),
    }
}

/// The newest image that has all these properties.
fn newest(db: &store::Read<'_>, project: &str, properties: &wire::ConfigMap) -> Result<Image> {
    let home = super::home(db, project)?;
    let fits = |image: &Image| {
        image.project == home
            && image.made == Made::Ready
            && properties.iter().all(|(key, value)| image.properties.get(key) == Some(value))
    };
    let found = rows::all(db)?.into_iter().filter(fits).max_by_key(|image| image.created_at);
    found.ok_or_else(|| Error::not_found("image", &format!("{properties:?}")))
}
