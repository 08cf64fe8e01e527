//! `test --churn [instances]`: that many come and go, and nothing of them may be left. See `lab/tests/churn.rs`.

use anyhow::{Context, Result};

const USUAL: &str = "200";

pub(super) fn run(words: &[String]) -> Result<bool> {
    let count = words.first().map_or(USUAL, String::as_str);
    count.parse::<usize>().with_context(|| format!("\"{count}\" is no number"))?;
    super::lab("churn::", &[("CHURN_INSTANCES", count)])
}
