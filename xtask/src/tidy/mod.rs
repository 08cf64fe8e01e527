//! Checks of the source that compiler and clippy do not make.

mod bans;
mod folders;
mod heads;
mod layers;
mod manifests;
mod modules;
mod sizes;
pub(crate) mod source;

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;

/// Where something is wrong, and what.
pub(crate) struct Problem(String);

impl Problem {
    fn at(path: &Path, line: usize, what: impl Display) -> Problem {
        Problem(format!("{}:{line}: {what}", path.display()))
    }
}

/// Prints all problems; false if there are any.
pub(crate) fn run() -> Result<bool> {
    let sources = source::all()?;
    let layers = layers::read()?;
    let mut problems = layers::check(&layers);
    problems.extend(manifests::check()?);
    problems.extend(sizes::check(&sources));
    problems.extend(heads::check(&sources));
    problems.extend(folders::check(&sources));
    problems.extend(modules::check(&sources));
    problems.extend(bans::check(&sources, &layers));
    for Problem(text) in &problems {
        println!("{text}");
    }
    println!("tidy: {} files, {} problems", sources.len(), problems.len());
    Ok(problems.is_empty())
}
