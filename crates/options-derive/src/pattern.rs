//! Patterns of families: which part of a key stands for the name.

/// Splits `user.*`, `volatile.<name>.hwaddr` or `limits.disk.pool.POOL_NAME` into what stands
/// before and behind the name. None when there is no such part, or more than one.
pub(crate) fn split(pattern: &str) -> Option<(String, String)> {
    let segments: Vec<&str> = pattern.split('.').collect();
    let mut wild = (0..segments.len()).filter(|&i| is_name(segments[i]));
    let at = wild.next()?;
    if wild.next().is_some() {
        return None;
    }
    let head: String = segments[..at].iter().flat_map(|s| [*s, "."]).collect();
    let tail: String = segments[at + 1..].iter().flat_map(|s| [".", *s]).collect();
    Some((head, tail))
}

fn is_name(segment: &str) -> bool {
    let angled = segment.starts_with('<') && segment.ends_with('>');
    let capitals = segment.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    segment == "*" || angled || (capitals && !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn finds_the_name() {
        let pair = |head: &str, tail: &str| Some((head.to_owned(), tail.to_owned()));
        assert_eq!(split("user.*"), pair("user.", ""));
        assert_eq!(split("volatile.<name>.last_state.mtu"), pair("volatile.", ".last_state.mtu"));
        assert_eq!(split("limits.disk.pool.POOL_NAME"), pair("limits.disk.pool.", ""));
    }

    #[test]
    fn refuses_no_name_and_two_names() {
        assert_eq!(split("limits.cpu"), None);
        assert_eq!(split("a.*.b.*"), None);
    }
}
