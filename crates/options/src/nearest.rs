//! Which known key somebody who mistyped one may have meant.

use crate::Table;

/// The declared key nearest to an unknown one, if it is near enough to be a slip.
pub(crate) fn key(table: &Table, unknown: &str) -> Option<String> {
    let limit = (unknown.chars().count() / 3).clamp(1, 4);
    let all = table.all();
    let known = all.iter().filter(|(_, opt)| opt.family.is_none());
    known
        .map(|(prefix, opt)| format!("{prefix}{}", opt.key))
        .map(|known| (distance(unknown, &known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be put in, taken out or changed to get from one word to the other
/// (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("limits.cpu", "limits.cpu"), 0);
        assert_eq!(distance("limit.cpu", "limits.cpu"), 1);
        assert_eq!(distance("limits.cup", "limits.cpu"), 2);
        assert_eq!(distance("", "abc"), 3);
    }
}
