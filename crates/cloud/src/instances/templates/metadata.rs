//! `metadata.yaml` of an instance, as its image had it or a client wrote it.

use std::{collections::BTreeMap, sync::Arc};

use images::{Metadata, Template};
use wire::{ConfigMap, ImageMetadata, ImageMetadataTemplate};

use super::beside;
use crate::{
    Caller, Error, Result, World,
    etag::{self, IfMatch},
    url,
};

/// When files are made of templates.
const WHEN: [&str; 4] = ["create", "copy", "rename", "start"];

/// What it says.
///
/// # Errors
/// There is no such instance, or it cannot be read.
pub async fn get(world: &Arc<World>, project: &str, name: &str) -> Result<ImageMetadata> {
    beside::with(world, (project, name), |beside, row| {
        Ok(shown(beside.metadata(&row.architecture)?))
    })
    .await
}

/// Has it say something else.
///
/// # Errors
/// As [`get`]; and what it cannot say.
pub async fn update(
    world: &Arc<World>,
    caller: &Caller,
    (project, name): (&str, &str),
    seen: IfMatch,
    change: impl FnOnce(ImageMetadata) -> Result<ImageMetadata> + Send + 'static,
) -> Result<()> {
    beside::with(world, (project, name), move |beside, row| {
        let old = shown(beside.metadata(&row.architecture)?);
        etag::check(&seen, &old, "metadata of", &row.name)?;
        beside.set_metadata(&taken(change(old)?)?)
    })
    .await?;
    world.tell(caller, project, "instance-metadata-updated", url::instance(project, name));
    Ok(())
}

fn shown(metadata: Metadata) -> ImageMetadata {
    let template = |one: Template| ImageMetadataTemplate {
        when: one.when,
        create_only: one.create_only,
        template: one.template,
        properties: ConfigMap::from(one.properties),
        uid: one.uid.map(|id| id.to_string()),
        gid: one.gid.map(|id| id.to_string()),
        mode: one.mode,
    };
    let templates = metadata.templates.into_iter().map(|(path, one)| (path, template(one)));
    ImageMetadata {
        architecture: metadata.architecture,
        creation_date: metadata.creation_date,
        expiry_date: metadata.expiry_date,
        properties: ConfigMap::from(metadata.properties),
        templates: templates.collect(),
    }
}

fn taken(given: ImageMetadata) -> Result<Metadata> {
    if given.architecture.is_empty() {
        return Err(Error::invalid("architecture", "it is empty: such as x86_64"));
    }
    let mut templates = BTreeMap::new();
    for (path, one) in given.templates {
        let template = template(one)
            .map_err(|why| Error::invalid("templates", format!("\"{path}\": {why}")))?;
        if path.trim_matches('/').is_empty() || path.contains('\0') {
            return Err(Error::invalid("templates", format!("\"{path}\" is no path of a file")));
        }
        templates.insert(path, template);
    }
    Ok(Metadata {
        architecture: given.architecture,
        creation_date: given.creation_date,
        expiry_date: given.expiry_date,
        properties: given.properties.into_iter().collect(),
        templates,
    })
}

fn template(given: ImageMetadataTemplate) -> Result<Template, String> {
    super::files::check_name(&given.template).map_err(|why| format!("template {why}"))?;
    if let Some(other) = given.when.iter().find(|word| !WHEN.contains(&word.as_str())) {
        return Err(format!("when: \"{other}\": {}", WHEN.join(", ")));
    }
    let mode = given.mode.filter(|mode| !mode.is_empty());
    if let Some(mode) = &mode {
        super::apply::mode(mode)?;
    }
    let id = |text: Option<String>| match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| format!("\"{text}\" is no id")),
    };
    Ok(Template {
        when: given.when,
        create_only: given.create_only,
        template: given.template,
        properties: given.properties.into_iter().collect(),
        uid: id(given.uid)?,
        gid: id(given.gid)?,
        mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(one: ImageMetadataTemplate) -> ImageMetadata {
        ImageMetadata {
            architecture: "x86_64".into(),
            templates: [("/etc/hostname".to_owned(), one)].into(),
            ..ImageMetadata::default()
        }
    }

    #[test]
    fn what_is_shown_is_taken_again_and_nonsense_is_named() {
        let one = ImageMetadataTemplate {
            when: vec!["create".into(), "rename".into()],
            template: "hostname.tpl".into(),
            uid: Some("5".into()),
            mode: Some("0640".into()),
            ..ImageMetadataTemplate::default()
        };
        let whole = given(one.clone());
        assert_eq!(shown(taken(whole.clone()).unwrap()), whole);
        let with = |change: fn(&mut ImageMetadataTemplate)| {
            let mut other = one.clone();
            change(&mut other);
            taken(given(other)).unwrap_err().to_string()
        };
        for (said, words) in [
            (with(|one| one.when = vec!["boot".into()]), "\"boot\": create, copy, rename, start"),
            (with(|one| one.template = "../x".into()), "\"../x\""),
            (with(|one| one.mode = Some("rw".into())), "\"rw\""),
            (with(|one| one.uid = Some("-1".into())), "\"-1\" is no id"),
        ] {
            assert!(said.contains(words) && said.contains("/etc/hostname"), "{said}");
        }
    }
}
