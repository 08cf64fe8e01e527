//! The templates themselves, each by its plain name.

use std::sync::Arc;

use super::beside;
use crate::{Caller, Error, Result, World, url};

/// Their names, sorted.
///
/// # Errors
/// There is no such instance, or it cannot be read.
pub async fn list(world: &Arc<World>, project: &str, name: &str) -> Result<Vec<String>> {
    beside::with(world, (project, name), |beside, _| beside.templates()).await
}

/// One of them.
///
/// # Errors
/// There is none of that name.
pub async fn get(world: &Arc<World>, of: (&str, &str), template: &str) -> Result<Vec<u8>> {
    let template = checked(template)?;
    beside::with(world, of, move |beside, _| {
        beside.template(&template)?.ok_or_else(|| Error::not_found("template", &template))
    })
    .await
}

/// Writes one, in place of what was there.
///
/// # Errors
/// It is too long, or its name is none.
pub async fn put(
    world: &Arc<World>,
    caller: &Caller,
    of: (&str, &str),
    template: &str,
    text: Vec<u8>,
) -> Result<()> {
    let template = checked(template)?;
    if text.len() as u64 > images::templates::MAX_TEMPLATE {
        return Err(Error::invalid("template", "it is longer than 1 MiB"));
    }
    beside::with(world, of, move |beside, _| beside.set_template(&template, &text)).await?;
    told(world, caller, of, "created");
    Ok(())
}

/// Deletes one.
///
/// # Errors
/// There is none of that name.
pub async fn delete(
    world: &Arc<World>,
    caller: &Caller,
    of: (&str, &str),
    template: &str,
) -> Result<()> {
    let template = checked(template)?;
    beside::with(world, of, move |beside, _| match beside.delete_template(&template)? {
        true => Ok(()),
        false => Err(Error::not_found("template", &template)),
    })
    .await?;
    told(world, caller, of, "deleted");
    Ok(())
}

fn told(world: &World, caller: &Caller, (project, name): (&str, &str), done: &str) {
    let action = format!("instance-metadata-template-{done}");
    world.tell(caller, project, &action, url::instance(project, name));
}

fn checked(template: &str) -> Result<String> {
    check_name(template).map_err(|why| Error::invalid("template", why))?;
    Ok(template.to_owned())
}

/// Fails when it is no plain name of a file.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let plain = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.contains(['/', '\0']);
    match plain {
        true => Ok(()),
        false => Err(format!("\"{name}\": a plain name such as hostname.tpl")),
    }
}
