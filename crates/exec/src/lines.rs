//! Cuts a stream of bytes into lines.

/// Longer lines are handed over in pieces, so that a program cannot fill our memory.
const LONGEST: usize = 8 << 10;

#[derive(Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and calls `line` for each line that is complete. Line feed and carriage
    /// return both end one (progress bars use the latter); empty lines are left out.
    pub(crate) fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            if matches!(byte, b'\n' | b'\r') || self.begun.len() >= LONGEST {
                self.flush(line);
            }
            if !matches!(byte, b'\n' | b'\r') {
                self.begun.push(byte);
            }
        }
    }

    /// Hands over what came after the last line end.
    pub(crate) fn flush(&mut self, line: &mut dyn FnMut(&str)) {
        if !self.begun.is_empty() {
            line(&String::from_utf8_lossy(&self.begun));
            self.begun.clear();
        }
    }
}

/// The last `count` lines of `bytes`, on one line, for an error text.
pub(crate) fn last_lines(bytes: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> =
        text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&str]) -> Vec<String> {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        let mut take = |line: &str| seen.push(line.to_owned());
        for chunk in chunks {
            lines.push(chunk.as_bytes(), &mut take);
        }
        lines.flush(&mut take);
        seen
    }

    #[test]
    fn lines_may_come_in_pieces_and_end_three_ways() {
        assert_eq!(cut(&["on", "e\ntwo\r", "\r\n", "three"]), ["one", "two", "three"]);
        assert_eq!(cut(&["\n\n"]), Vec::<String>::new());
        assert_eq!(cut(&[&"x".repeat(LONGEST + 1)]).len(), 2);
    }

    #[test]
    fn an_error_shows_the_last_lines_only() {
        assert_eq!(last_lines(b"a\n b\n\nc\n", 2), "b; c");
        assert_eq!(last_lines(b"", 2), "");
    }
}
