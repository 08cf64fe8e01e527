//! A seccomp profile in liblxc's form, version 2.

use std::fmt;

use crate::{Kind, Value};

/// A whole profile: what happens to calls that it names, and to all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeccompProfile {
    text: String,
    /// Whether calls that are not named are refused.
    pub allows: bool,
    /// Whether `umount2` with force is refused.
    pub no_forced_umount: bool,
    /// Calls, each perhaps with what happens to it: `mount errno 1`.
    pub calls: Vec<String>,
}

impl Value for SeccompProfile {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty());
        if lines.next() != Some("2") {
            return Err("a profile of liblxc's version 2: its first line is 2".to_owned());
        }
        let allows = match lines.next() {
            Some("denylist" | "blacklist") => false,
            Some("allowlist" | "whitelist") => true,
            _ => return Err("\"denylist\" or \"allowlist\" in its second line".to_owned()),
        };
        let mut profile =
            Self { text: text.to_owned(), allows, no_forced_umount: false, calls: Vec::new() };
        for line in lines {
            match line {
                "[all]" => {}
                "reject_force_umount" => profile.no_forced_umount = true,
                line if line.starts_with('[') => {
                    return Err("calls of all architectures, behind [all]".to_owned());
                }
                line => profile.calls.push(call(line)?),
            }
        }
        Ok(profile)
    }
}

/// A line in the words of our own lists.
fn call(line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |word: &str| word.parse::<u16>().is_ok_and(|number| number <= 4095);
    match words[..] {
        [_] | [_, "allow" | "kill"] => Ok(words.join(" ")),
        [_, "errno", error] if number(error) => Ok(words.join(" ")),
        _ => {
            Err("lines of a call and perhaps allow, kill or errno NUMBER; no arguments".to_owned())
        }
    }
}

impl fmt::Display for SeccompProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_and_what_it_cannot_say_is_told() {
        let text =
            "2\ndenylist\nreject_force_umount # as by default\n[all]\nkeyctl errno 38\nbpf\n";
        let profile = SeccompProfile::parse(text).unwrap();
        assert_eq!(profile.calls, ["keyctl errno 38", "bpf"]);
        assert!(!profile.allows && profile.no_forced_umount && profile.to_string() == text);
        assert!(SeccompProfile::parse("2\nallowlist\n[all]\nread\n").unwrap().allows);
        for (wrong, words) in [
            ("1\n0\n", "version 2"),
            ("2\nkeyctl", "denylist"),
            ("2\ndenylist\n[x86]\nbpf", "[all]"),
            ("2\ndenylist\nmount errno 1 [0,2,SCMP_CMP_EQ]", "no arguments"),
            ("2\ndenylist\nmount notify", "no arguments"),
        ] {
            assert!(SeccompProfile::parse(wrong).unwrap_err().contains(words), "{wrong}");
        }
    }
}
