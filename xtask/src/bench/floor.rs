//! The kernel's floor: what making a container's namespaces and running one program in them takes
//! when nothing else is done.

use std::fs;

use anyhow::{Context, Result, bail};

use super::place::Place;
use super::samples::Samples;
use crate::shell;

const SOURCE: &str = include_str!("floor.c");

/// Milliseconds.
pub(super) fn measure(place: &Place, runs: u32) -> Result<Samples> {
    let source = place.write("floor/floor.c", SOURCE)?;
    let folder = place.path().join("floor");
    let program = folder.join("floor");
    let root = folder.join("root");
    let (from, to) = (source.to_string_lossy(), program.to_string_lossy());
    if !shell::succeeds(&mut shell::command("cc", &["-O2", "-static", "-o", &to, &from]))? {
        bail!("{from} does not compile");
    }
    let made =
        fs::create_dir_all(root.join("proc")).and_then(|()| fs::copy(&program, root.join("init")));
    made.context("make a root for the floor")?;
    let text = shell::output(&to, &[&root.to_string_lossy(), &runs.to_string()])?;
    let mut samples = Samples::default();
    let values = text.lines().filter_map(|line| line.parse::<f64>().ok());
    values.for_each(|micros| samples.add(micros / 1e3));
    Ok(samples)
}
