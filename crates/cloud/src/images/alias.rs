//! Other names of images.

use options::names::check_alias;
use wire::{ImageAliasesEntry, ImageAliasesEntryPut, ImageAliasesPost};

use crate::{
    Caller, Error, Result, World,
    db::images::{self as rows, Alias},
    etag::{self, IfMatch},
    url,
};

/// Every alias of a project, or of all.
pub fn list(world: &World, project: Option<&str>) -> Result<Vec<(String, ImageAliasesEntry)>> {
    world.store.read(|db| {
        let home = project.map(|name| super::home(db, name)).transpose()?;
        let found = rows::aliases(db)?.into_iter();
        let wanted = found.filter(|alias| home.as_ref().is_none_or(|home| *home == alias.project));
        Ok(wanted.map(|alias| (alias.project.clone(), render(alias))).collect())
    })
}

/// One alias.
pub fn get(world: &World, project: &str, name: &str) -> Result<ImageAliasesEntry> {
    world.store.read(|db| Ok(render(find(db, project, name)?)))
}

fn find(db: &store::Read<'_>, project: &str, name: &str) -> Result<Alias> {
    let home = super::home(db, project)?;
    rows::alias(db, &home, name)?.ok_or_else(|| Error::not_found("image alias", name))
}

fn render(alias: Alias) -> ImageAliasesEntry {
    ImageAliasesEntry {
        r#type: super::kind(&alias.kind),
        name: alias.name,
        description: alias.description,
        target: alias.fingerprint,
    }
}

fn writable(alias: &Alias) -> ImageAliasesEntryPut {
    ImageAliasesEntryPut {
        description: alias.description.clone(),
        target: alias.fingerprint.clone(),
    }
}

/// Makes an alias.
pub async fn create(
    world: &World,
    caller: &Caller,
    project: &str,
    new: ImageAliasesPost,
) -> Result<()> {
    check_alias(&new.name).map_err(|why| Error::invalid("alias", why))?;
    let home = world
        .store
        .write(|db| {
            let image = super::find(db, project, &new.target)?;
            if rows::alias(db, &image.project, &new.name)?.is_some() {
                return Err(Error::exists("image alias", &new.name));
            }
            let (home, print) = (&image.project, &image.fingerprint);
            rows::insert_alias(db, home, &new.name, &new.description, print)?;
            Ok(image.project)
        })
        .await?;
    world.tell(caller, &home, "image-alias-created", url::of("images/aliases", &new.name, &home));
    Ok(())
}

/// Changes an alias to what `change` makes of its editable part.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ImageAliasesEntryPut) -> Result<ImageAliasesEntryPut> + Send + Sync,
) -> Result<()> {
    let home = world
        .store
        .write(|db| {
            let row = find(db, project, name)?;
            let old = writable(&row);
            etag::check(&seen, &old, "image alias", name)?;
            let new = change(old)?;
            let image = super::find(db, project, &new.target)?;
            rows::update_alias(db, row.id, &image.fingerprint, &new.description)?;
            Ok::<_, Error>(row.project)
        })
        .await?;
    world.tell(caller, &home, "image-alias-updated", url::of("images/aliases", name, &home));
    Ok(())
}

/// Renames an alias.
pub async fn rename(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    to: &str,
) -> Result<()> {
    check_alias(to).map_err(|why| Error::invalid("alias", why))?;
    let home = world
        .store
        .write(|db| {
            let row = find(db, project, name)?;
            if rows::alias(db, &row.project, to)?.is_some() {
                return Err(Error::exists("image alias", to));
            }
            rows::rename_alias(db, row.id, to)?;
            Ok(row.project)
        })
        .await?;
    world.tell(caller, &home, "image-alias-renamed", url::of("images/aliases", to, &home));
    Ok(())
}

/// Deletes an alias; its image stays.
pub async fn delete(world: &World, caller: &Caller, project: &str, name: &str) -> Result<()> {
    let home = world
        .store
        .write(|db| {
            let row = find(db, project, name)?;
            rows::delete_alias(db, row.id)?;
            Ok::<_, Error>(row.project)
        })
        .await?;
    world.tell(caller, &home, "image-alias-deleted", url::of("images/aliases", name, &home));
    Ok(())
}
