//! Changes a project.

use options::Raw;
use wire::ProjectPut;

use crate::{
    Caller, Error, Result, World,
    cluster::groups,
    db::projects as rows,
    etag::{self, IfMatch},
    names::DEFAULT_PROJECT,
    url,
};

/// Changes a project to what `change` makes of its editable part. What it has of its own can
/// change only while it holds nothing.
pub async fn update(
    world: &World,
    caller: &Caller,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ProjectPut) -> Result<ProjectPut> + Send + Sync,
) -> Result<()> {
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            let old = super::writable(&row);
            etag::check(&seen, &old, "project", name)?;
            let new = change(old)?;
            let config: Raw = new.config.into();
            super::check_options(&config)?;
            let features = |config: &Raw| config.under("features.");
            if features(&config) != features(&row.config) {
                super::fixed(name, "given other features")?;
                if !super::is_empty(db, name)? {
                    let why = "features.* can change only while the project holds nothing";
                    return Err(Error::invalid("project", why));
                }
            }
            groups::check_named(db, &config)?;
            rows::update(db, row.id, &new.description, &config)?;
            super::rules::keep(db, name)
        })
        .await?;
    world.tell(caller, name, "project-updated", url::of("projects", name, DEFAULT_PROJECT));
    Ok(())
}
