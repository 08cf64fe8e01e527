//! What must not be written in certain places, each with its reason.

use super::Problem;
use super::layers::Package;
use super::source::{Line, Source};

/// A pattern that is banned in some files.
struct Ban {
    /// Found in a line of code.
    found: fn(&str) -> bool,
    /// Banned in this file.
    applies: fn(&Place) -> bool,
    /// In test modules too.
    in_tests: bool,
    reason: &'static str,
}

/// What a ban may ask about a file.
struct Place {
    package: String,
    layer: u64,
}

const BANS: [Ban; 7] = [
    Ban {
        found: |code| code.contains("process::Command") || code.contains("process::{Command"),
        applies: |place| !["exec", "xtask", "lab"].contains(&place.package.as_str()),
        in_tests: false,
        reason: "programs are started only by the crate exec",
    },
    Ban {
        found: |code| {
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code)"]
                .iter()
                .any(|word| code.contains(word))
        },
        applies: |place| place.package != "sys" && place.package != "xtask",
        in_tests: true,
        reason: "unsafe code is only in the crate sys",
    },
    Ban {
        found: |code| code.contains("HashMap<String, String>"),
        applies: |place| place.layer < 5,
        in_tests: false,
        reason: "a map of strings beneath the doors: parse it into a type where it comes in",
    },
    Ban {
        found: |code| code.contains("ConfigMap"),
        // The client speaks the API as it is.
        applies: |place| (2..=3).contains(&place.layer) && place.package != "client",
        in_tests: false,
        reason: "configuration is parsed once, in cloud; take typed options",
    },
    Ban {
        found: |code| {
            let clocks = ["SystemTime::now", "UnixTime::now", "Utc::now", "Local::now"];
            clocks.iter().any(|clock| code.contains(clock))
        },
        // A guest has a clock of its own.
        applies: |place| !["clock", "agent", "xtask", "lab"].contains(&place.package.as_str()),
        in_tests: false,
        reason: "the wall clock is read only by the crate clock, so that tests can have it jump",
    },
    Ban {
        found: |code| {
            let code = code.trim_start().trim_start_matches("pub ");
            code.starts_with("use ") && code.trim_end().ends_with("::*;")
        },
        applies: |_| true,
        in_tests: false,
        reason: "a glob import hides where a name comes from",
    },
    Ban {
        found: |code| code.contains("#[ignore"),
        applies: |_| true,
        in_tests: true,
        reason: "a test that cannot run says `SKIP: why`; an ignored one is forgotten",
    },
];

/// Folders outside the repository that its text must not name.
const OUTSIDE: [&str; 2] = [concat!("..", "/shared"), concat!("/work", "/")];

pub(super) fn check(sources: &[Source], packages: &[Package]) -> Vec<Problem> {
    sources.iter().flat_map(|source| check_one(source, packages)).collect()
}

fn check_one(source: &Source, packages: &[Package]) -> Vec<Problem> {
    let package = source.package();
    let layer = packages.iter().find(|other| other.name == package).and_then(|p| p.layer);
    let place = Place { package, layer: layer.unwrap_or(u64::MAX) };
    let bans: Vec<&Ban> = BANS.iter().filter(|ban| (ban.applies)(&place)).collect();
    let mut problems = Vec::new();
    // The bans are written out here.
    if !source.path.ends_with("xtask/src/tidy/bans.rs") {
        for line in source.code() {
            let broken = bans.iter().filter(|ban| breaks(ban, &line));
            problems.extend(broken.map(|ban| Problem::at(&source.path, line.number, ban.reason)));
        }
    }
    problems.extend(source.text.lines().enumerate().filter_map(|(index, line)| {
        let outside = OUTSIDE.iter().find(|word| line.contains(**word))?;
        let text = format!("names `{outside}`, which is outside the repository");
        Some(Problem::at(&source.path, index + 1, text))
    }));
    problems
}

fn breaks(ban: &Ban, line: &Line<'_>) -> bool {
    (ban.in_tests || !line.in_tests) && (ban.found)(line.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.into(), text: text.to_owned(), ..Source::default() };
        check_one(&source, &[]).into_iter().map(|problem| problem.0).collect()
    }

    #[test]
    fn a_ban_holds_where_it_applies_and_not_in_comments() {
        let text = "use std::process::Command;\n// use std::process::Command;\n";
        assert_eq!(problems("crates/cloud/src/a.rs", text).len(), 1);
        assert!(problems("crates/exec/src/a.rs", text).is_empty());
    }

    #[test]
    fn the_clock_is_read_in_one_place() {
        let text = "let now = SystemTime::now();\nlet begun = Instant::now();\n";
        assert_eq!(problems("crates/cloud/src/a.rs", text).len(), 1);
        assert!(problems("crates/clock/src/lib.rs", text).is_empty());
    }

    #[test]
    fn glob_imports_are_for_tests() {
        let text = "use a::*;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
        assert_eq!(problems("crates/a/src/a.rs", text).len(), 1);
        assert!(problems("crates/a/src/tests.rs", text).is_empty());
    }

    #[test]
    fn folders_outside_are_found_in_comments_too() {
        let text = concat!("//! As in ..", "/shared/notes.md.\n");
        assert_eq!(problems("crates/a/src/a.rs", text).len(), 1);
    }
}
