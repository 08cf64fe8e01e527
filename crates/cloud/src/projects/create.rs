//! Makes a project.

use options::Raw;
use wire::ProjectsPost;

use crate::{
    Caller, Error, Result, World,
    cluster::groups,
    db::{profiles, projects as rows},
    url,
};

/// Makes a project, with a profile `default` of its own where it has its own profiles.
pub async fn create(world: &World, caller: &Caller, new: ProjectsPost) -> Result<()> {
    options::names::check_project(&new.name).map_err(|why| Error::invalid("project name", why))?;
    let mut config: Raw = new.config.into();
    for key in super::OWN_BY_DEFAULT {
        config.set_default(key, "true");
    }
    super::check_options(&config)?;
    world
        .store
        .write(|db| {
            if rows::get(db, &new.name)?.is_some() {
                return Err(Error::exists("project", &new.name));
            }
            groups::check_named(db, &config)?;
            rows::insert(db, &new.name, &new.description, &config)?;
            if super::find(db, &new.name)?.home_of("features.profiles") == new.name {
                let words = format!("Default profile of project {}", new.name);
                let (name, none) = (crate::profiles::DEFAULT, Default::default());
                profiles::insert(db, &new.name, name, &words, &Raw::new(), &none)?;
            }
            Ok(())
        })
        .await?;
    let source = url::of("projects", &new.name, crate::names::DEFAULT_PROJECT);
    world.tell(caller, &new.name, "project-created", source);
    Ok(())
}
