//! Reads the report nextest writes: one `testcase` a test, with what it printed.

use super::count::Count;

/// Counts the tests of a report.
pub(super) fn count(report: &str) -> Count {
    let mut count = Count::default();
    for case in report.split("<testcase ").skip(1) {
        let case = case.split("</testcase>").next().unwrap_or(case);
        if case.contains("<failure") || case.contains("<error") {
            count.failed += 1;
        } else if let Some(why) = skipped(case) {
            count.skip(&why);
        } else {
            count.passed += 1;
        }
    }
    count
}

/// The reason on the first line that starts with `SKIP: `.
fn skipped(case: &str) -> Option<String> {
    let printed = case.split_once('>')?.1;
    let (_, why) = printed.split_once("SKIP: ")?;
    let why = why.split(['\n', '<']).next().unwrap_or(why);
    Some(plain(why).trim().to_owned())
}

fn plain(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_counted_with_the_reasons_of_the_skipped() {
        let report = r#"<testsuite><testcase name="a" classname="x"><system-err></system-err>
</testcase><testcase name="b"><system-out>running 1 test</system-out><system-err>SKIP: no &quot;nft&quot;
more</system-err></testcase><testcase name="c"><failure type="test failure">SKIP: no</failure>
</testcase><testcase name="d" time="0.1"/></testsuite>"#;
        let count = count(report);
        assert_eq!((count.passed, count.failed, count.skipped), (2, 1, 1));
        assert_eq!(count.reasons.keys().collect::<Vec<_>>(), ["no \"nft\""]);
    }
}
