//! What things may be called. Each check names the value and says what is allowed.

/// An instance: a host name label.
pub fn check_instance(name: &str) -> Result<(), String> {
    let first = name.bytes().next().unwrap_or(b'-');
    let right = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && first.is_ascii_alphabetic()
        && !name.ends_with('-');
    said(right, name, "1 to 63 letters, digits and dashes, a letter first, no dash last")
}

/// A snapshot of an instance or a volume: it becomes a folder's or a volume's name.
pub fn check_snapshot(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_alphanumeric() || "-_.+@=%".contains(c);
    let right = is_plain(name)
        && name.len() <= 200
        && !name.starts_with(['.', '-'])
        && name.chars().all(good);
    let allowed = "1 to 200 letters, digits and any of -_.+@=%, no dot and no dash first";
    said(right, name, allowed)
}

/// A network: also the name of its link.
pub fn check_network(name: &str) -> Result<(), String> {
    let right = is_interface(name) && name.len() >= 2 && !RESERVED_LINKS.contains(&name);
    said(right, name, "2 to 15 letters, digits, dots, dashes and underscores, not lo")
}

/// A network interface within an instance.
pub fn check_interface(name: &str) -> Result<(), String> {
    let right = is_interface(name) && !RESERVED_LINKS.contains(&name);
    said(right, name, "1 to 15 letters, digits, dots, dashes and underscores, not lo")
}

/// A storage pool.
pub fn check_pool(name: &str) -> Result<(), String> {
    let right = is_segment(name) && !name.starts_with('-') && !name.contains(char::is_whitespace);
    said(right, name, "1 to 63 characters without slashes and spaces, no dash first")
}

/// A custom storage volume: it becomes a folder's name, behind its project's.
pub fn check_volume(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_alphanumeric() || "-_.+@=%".contains(c);
    let right = is_segment(name) && !name.starts_with('-') && name.chars().all(good);
    let allowed = "1 to 63 letters, digits and any of -_.+@=%, no dash first";
    said(right, name, allowed)
}

/// A bucket: what S3 allows.
pub fn check_bucket(name: &str) -> Result<(), String> {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let right = (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && edge(name.bytes().next())
        && edge(name.bytes().next_back())
        && !name.contains("..");
    said(right, name, "3 to 63 small letters, digits, dashes and single dots")
}

/// A key to a bucket.
pub fn check_bucket_key(name: &str) -> Result<(), String> {
    let right = is_segment(name) && !name.contains(char::is_whitespace);
    said(right, name, "1 to 63 characters without slashes and spaces")
}

/// A profile.
pub fn check_profile(name: &str) -> Result<(), String> {
    said(is_segment(name), name, "1 to 63 characters without slashes")
}

/// A project. Underscores are kept for joining the project's name with another.
pub fn check_project(name: &str) -> Result<(), String> {
    let right = is_segment(name)
        && !name.contains(['_', '*', '\'', '"', '\\'])
        && !name.contains(char::is_whitespace);
    let allowed = "1 to 63 characters without slashes, underscores, quotes, stars and spaces";
    said(right, name, allowed)
}

/// An alias of an image. It may have slashes within: `debian/13`.
pub fn check_alias(name: &str) -> Result<(), String> {
    let parts = name.split('/').all(is_plain);
    let right = parts && is_plain(name);
    said(right, name, "1 to 255 characters, no slash first or last, no two together")
}

/// A device of an instance or profile.
pub fn check_device(name: &str) -> Result<(), String> {
    let right = is_segment(name) && !name.contains(char::is_whitespace);
    said(right, name, "1 to 63 characters without slashes and spaces")
}

/// A member of a cluster, or the machine itself.
pub fn check_member(name: &str) -> Result<(), String> {
    let label = |label: &str| check_label(label);
    let right = name.len() <= 253 && name.split('.').all(label) && name != "none";
    said(right, name, "a host name of letters, digits, dashes and dots")
}

/// A group of a cluster's members: several stand behind one `@`, parted by commas.
pub fn check_group(name: &str) -> Result<(), String> {
    let right = is_segment(name)
        && !name.starts_with(['-', '@'])
        && !name.contains(',')
        && !name.contains(char::is_whitespace);
    let allowed = "1 to 63 characters without slashes, commas and spaces, no dash and no @ first";
    said(right, name, allowed)
}

const RESERVED_LINKS: [&str; 3] = ["lo", "all", "default"];

/// Whether the kernel takes the name for a network interface.
pub(crate) fn is_interface(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    // IFNAMSIZ is 16 with the zero at the end.
    (1..=15).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && name != "."
        && name != ".."
}

fn check_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// One step of a path, short enough to be part of a longer name.
fn is_segment(name: &str) -> bool {
    name.len() <= 63 && is_plain(name) && !name.contains('/')
}

/// Text that shows as it is: not empty, no control characters, no space at an end, neither `.` nor
/// `..`.
fn is_plain(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.trim() == name
        && name != "."
        && name != ".."
        && !name.contains(char::is_control)
}

fn said(right: bool, name: &str, allowed: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(format!("{name:?}: {allowed}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Check = fn(&str) -> Result<(), String>;

    fn all(check: Check, good: &[&str], bad: &[&str]) {
        for name in good {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
        for name in bad {
            let error = check(name).expect_err(name);
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
    }

    const NEVER: [&str; 7] = ["", ".", "..", "a/../b", "a\nb", " a", "a "];

    #[test]
    fn nothing_takes_a_name_that_escapes() {
        let checks: [Check; 14] = [
            check_instance,
            check_snapshot,
            check_network,
            check_interface,
            check_pool,
            check_volume,
            check_bucket,
            check_bucket_key,
            check_profile,
            check_project,
            check_alias,
            check_device,
            check_member,
            check_group,
        ];
        for check in checks {
            all(check, &[], &NEVER);
        }
    }

    #[test]
    fn instances_are_host_names() {
        let (long, too_long) = ("a".repeat(63), "a".repeat(64));
        all(
            check_instance,
            &["web", "c1", "a-b", "Web", &long],
            &["1web", "-web", "web-", "we_b", "wéb", "a.b", &too_long],
        );
    }

    #[test]
    fn networks_are_links() {
        let bad = ["lo", "x", "a b", "a/b", "sixteen-letters-", "br:0", "-br"];
        all(check_network, &["lxdbr0", "br-lan", "vlan.100", "a_b"], &bad);
    }

    #[test]
    fn projects_have_no_underscore() {
        all(check_project, &["default", "team-1", "ü"], &["a_b", "a*", "a b", "a\"b", "a/b"]);
    }

    #[test]
    fn aliases_may_have_slashes() {
        all(check_alias, &["debian/13", "debian/13/cloud", "my image"], &["/a", "a/", "a//b"]);
    }

    #[test]
    fn the_rest() {
        all(check_pool, &["default", "local"], &["-a", "a b", "a/b"]);
        all(check_profile, &["default", "two words"], &["a/b"]);
        all(check_volume, &["data", "a_b.old", "ü"], &["a/b", "a b", "a:b", "-a", "a,b"]);
        let snapshots = ["snap0", "before-upgrade_1.2", "2026-03-01_10-00"];
        all(check_snapshot, &snapshots, &["a/b", "a b", "a:b", ".a", "-a", &"x".repeat(201)]);
        all(check_device, &["eth0", "root", "eth0.100"], &["a/b", "a b"]);
        all(check_bucket, &["my-bucket", "a.b"], &["Ab", "ab", "a..b", "-abc", "a_b"]);
        all(check_member, &["pi1", "pi-2.lan", "3pi"], &["none", "a_b", "-a", "a..b"]);
        all(check_group, &["default", "arm-64"], &["@a", "a,b", "a b", "a/b"]);
        all(check_interface, &["eth0", "e"], &["lo", "a b"]);
    }
}
