//! What may stand in `#[options(..)]` and `#[option(..)]`.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Ident, LitStr, Path, Result};

/// `#[options(entity = "..", group = "..", check = path, apply = live, scope = global)]` on the
/// struct.
#[derive(Default)]
pub(crate) struct OfStruct {
    pub(crate) entity: Option<LitStr>,
    pub(crate) group: Option<LitStr>,
    pub(crate) check: Option<Path>,
    pub(crate) apply: Option<Ident>,
    pub(crate) scope: Option<Ident>,
}

/// `#[option(..)]` on a field.
#[derive(Default)]
pub(crate) struct OfField {
    pub(crate) key: Option<LitStr>,
    pub(crate) pattern: Option<LitStr>,
    pub(crate) nested: bool,
    pub(crate) prefix: Option<LitStr>,
    pub(crate) group: Option<LitStr>,
    pub(crate) default: Option<LitStr>,
    pub(crate) default_text: Option<LitStr>,
    pub(crate) initial: Option<LitStr>,
    pub(crate) apply: Option<Ident>,
    pub(crate) scope: Option<Ident>,
    pub(crate) condition: Option<LitStr>,
    pub(crate) since: Option<LitStr>,
}

impl OfStruct {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("options")) {
            attribute.parse_nested_meta(|meta| found.accept(&meta))?;
        }
        Ok(found)
    }

    fn accept(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match name(meta)?.as_str() {
            "entity" => self.entity = Some(meta.value()?.parse()?),
            "group" => self.group = Some(meta.value()?.parse()?),
            "check" => self.check = Some(meta.value()?.parse()?),
            "apply" => self.apply = Some(meta.value()?.parse()?),
            "scope" => self.scope = Some(meta.value()?.parse()?),
            _ => return Err(meta.error("known here: entity, group, check, apply, scope")),
        }
        Ok(())
    }
}

impl OfField {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("option")) {
            attribute.parse_nested_meta(|meta| found.accept(&meta))?;
        }
        Ok(found)
    }

    fn accept(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match name(meta)?.as_str() {
            "key" => self.key = Some(meta.value()?.parse()?),
            "pattern" => self.pattern = Some(meta.value()?.parse()?),
            "nested" => self.nested = true,
            "prefix" => self.prefix = Some(meta.value()?.parse()?),
            "group" => self.group = Some(meta.value()?.parse()?),
            "default" => self.default = Some(meta.value()?.parse()?),
            "default_text" => self.default_text = Some(meta.value()?.parse()?),
            "initial" => self.initial = Some(meta.value()?.parse()?),
            "apply" => self.apply = Some(meta.value()?.parse()?),
            "scope" => self.scope = Some(meta.value()?.parse()?),
            "condition" => self.condition = Some(meta.value()?.parse()?),
            "since" => self.since = Some(meta.value()?.parse()?),
            _ => return Err(meta.error(KNOWN)),
        }
        Ok(())
    }
}

const KNOWN: &str = "known here: key, pattern, nested, prefix, group, default, default_text, \
                     initial, apply, scope, condition, since";

fn name(meta: &ParseNestedMeta<'_>) -> Result<String> {
    meta.path.get_ident().map(Ident::to_string).ok_or_else(|| meta.error("a single word"))
}
