//! `test --faults [seed [runs]]`: a cluster under load while its members break, by seeds. See `lab/tests/faults/mod.rs`.

use anyhow::{Context, Result};

const USUAL: [u64; 2] = [1, 10];

pub(super) fn run(words: &[String]) -> Result<bool> {
    let number = |at: usize, name: &str| {
        let given = words.get(at).map(|text| text.parse::<u64>());
        given.unwrap_or(Ok(USUAL[at])).with_context(|| format!("{name} is a number"))
    };
    let (seed, runs) = (number(0, "seed")?.to_string(), number(1, "runs")?.to_string());
    let env = [("FAULTS_SEED", &*seed), ("FAULTS_RUNS", &*runs)];
    let well = super::lab("faults::nothing_is_lost_whatever_breaks", &env)?;
    println!(
        "{runs} runs from seed {seed} on: {}",
        if well { "all well" } else { "one of them is not" }
    );
    Ok(well)
}
