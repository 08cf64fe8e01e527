//! How many tests passed, failed and were skipped.

use std::collections::BTreeMap;

/// The sums of a run, or of a part of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    /// Why tests were skipped, and how many for this reason.
    pub(super) reasons: BTreeMap<String, usize>,
}

impl Count {
    /// A part that did not come to its end.
    pub(super) fn broken() -> Count {
        Count { failed: 1, ..Count::default() }
    }

    pub(super) fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        for (why, tests) in other.reasons {
            *self.reasons.entry(why).or_default() += tests;
        }
    }

    /// A test that printed `SKIP: why`.
    pub(super) fn skip(&mut self, why: &str) {
        self.skipped += 1;
        *self.reasons.entry(why.to_owned()).or_default() += 1;
    }

    /// Counts by what `cargo test -- --nocapture` printed.
    pub(super) fn of_output(text: &str) -> Count {
        let mut count = Count::default();
        for line in text.lines() {
            if let Some((_, why)) = line.split_once("SKIP: ") {
                count.skip(why.trim());
            }
            if let Some(sums) = line.trim_start().strip_prefix("test result: ") {
                count.passed += number_before(sums, " passed");
                count.failed += number_before(sums, " failed");
            }
        }
        // Those that skipped ended well for cargo.
        count.passed = count.passed.saturating_sub(count.skipped);
        count
    }
}

fn number_before(text: &str, word: &str) -> usize {
    let before = text.split(word).next().unwrap_or_default();
    let number = before.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_cargo_test_is_counted() {
        let text = "test a ... ok\nSKIP: needs root\ntest b ... ok\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out\n\
            test result: FAILED. 11 passed; 4 failed; 0 ignored\n";
        let count = Count::of_output(text);
        assert_eq!((count.passed, count.failed, count.skipped), (12, 4, 1));
        assert_eq!(count.reasons["needs root"], 1);
    }
}
