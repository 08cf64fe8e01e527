//! Lists as the API gives them: addresses, or the things themselves, those that pass a filter.

use cloud::Caller;
use serde::Serialize;
use wire::{Listing, query::ListQuery};

use crate::{error::Result, filter::Filter};

/// A list as `query` wants it; `url` gives a thing's address.
pub(crate) fn of<T: Serialize>(
    query: &ListQuery,
    items: Vec<T>,
    url: impl Fn(&T) -> String,
) -> Result<Listing<T>> {
    located(query, items.into_iter().map(|item| (url(&item), item)).collect())
}

/// The same of things that come with their addresses.
pub(crate) fn located<T: Serialize>(
    query: &ListQuery,
    items: Vec<(String, T)>,
) -> Result<Listing<T>> {
    let items = match query.filter.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => {
            let filter = Filter::parse(text)?;
            items.into_iter().filter(|(_, item)| filter.passes(item)).collect()
        }
        None => items,
    };
    Ok(match query.recursion {
        0 => Listing::Urls(items.into_iter().map(|(url, _)| url).collect()),
        _ => Listing::Full(items.into_iter().map(|(_, item)| item).collect()),
    })
}

/// The project a list is of; `None` is all of them, of which [`visible`] keeps what the caller may see.
pub(crate) fn project<'a>(query: &'a ListQuery, caller: &Caller) -> Result<Option<&'a str>> {
    if query.all_projects {
        return Ok(None);
    }
    caller.check(query.project())?;
    Ok(Some(query.project()))
}

/// Of things of all projects, those of projects that the caller may see.
pub(crate) fn visible<T>(
    query: &ListQuery,
    caller: &Caller,
    mut found: Vec<T>,
    project: impl Fn(&T) -> &str,
) -> Vec<T> {
    if query.all_projects {
        found.retain(|one| caller.rights.within(project(one)));
    }
    found
}

/// The address of a thing, with its project where that is not the default one.
pub(crate) fn url(path: &str, name: &str, project: &str) -> String {
    cloud::url::of(path, name, project)
}
