//! Addresses of things in the API, as `used_by` and events give them.

use crate::names::DEFAULT_PROJECT;

/// `/1.0/<path>/<name>`, with `?project=` outside the default project.
pub fn of(path: &str, name: &str, project: &str) -> String {
    let name = escape(name);
    if project == DEFAULT_PROJECT {
        format!("/1.0/{path}/{name}")
    } else {
        format!("/1.0/{path}/{name}?project={}", escape(project))
    }
}

/// The address of what LXD's API has not: `/internal/<path>/<name>`.
pub fn own(path: &str, name: &str, project: &str) -> String {
    of(path, name, project).replacen("/1.0/", "/internal/", 1)
}

/// The address of an instance.
pub fn instance(project: &str, name: &str) -> String {
    of("instances", name, project)
}

/// Percent-encodes what may not stand in a path segment (RFC 3986, 3.3).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_projects_named() {
        assert_eq!(of("profiles", "a b/c", "default"), "/1.0/profiles/a%20b%2Fc");
        assert_eq!(instance("lab", "web"), "/1.0/instances/web?project=lab");
    }
}
