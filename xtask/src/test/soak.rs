//! `test --soak [minutes [seed]]`: a daemon under load that is killed at random moments, by a seed. See `lab/tests/soak/mod.rs`.

use anyhow::{Context, Result};

const USUAL: [u64; 2] = [10, 1];

pub(super) fn run(words: &[String]) -> Result<bool> {
    let number = |at: usize, name: &str| {
        let given = words.get(at).map(|text| text.parse::<u64>());
        given.unwrap_or(Ok(USUAL[at])).with_context(|| format!("{name} is a number"))
    };
    let (minutes, seed) = (number(0, "minutes")?.to_string(), number(1, "seed")?.to_string());
    super::lab("soak::", &[("SOAK_MINUTES", &*minutes), ("SOAK_SEED", &*seed)])
}
