//! `test --scale [members [instances]]`: how a cluster is with many of them, measured. See `lab/tests/scale.rs`.

use anyhow::{Context, Result};

const USUAL: [&str; 2] = ["50", "10000"];

pub(super) fn run(words: &[String]) -> Result<bool> {
    let number = |at: usize| {
        let text = words.get(at).map_or(USUAL[at], String::as_str);
        text.parse::<usize>().map(|_| text).with_context(|| format!("\"{text}\" is no number"))
    };
    let env = [("SCALE_MEMBERS", number(0)?), ("SCALE_INSTANCES", number(1)?)];
    super::lab("scale::", &env)
}
