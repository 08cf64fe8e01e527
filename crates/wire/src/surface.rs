//! Test: what LXD 5.21 serves (`surface.txt`) and we do not yet stands in `not-yet.txt`.

use std::{collections::BTreeSet, env, fs, path::Path};

use crate::endpoints::ENDPOINTS;

/// `METHOD path` with every parameter as `{}`, since their names vary.
fn normal(line: &str) -> String {
    let parts = line.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn served() -> BTreeSet<String> {
    ENDPOINTS
        .iter()
        .map(|info| normal(&format!("{} {}", info.method.as_str(), info.path)))
        .collect()
}

/// Compares a committed file with what it should be; `UPDATE_EXPECT=1` writes it.
fn check(path: &str, want: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, want).unwrap();
    }
    let have = fs::read_to_string(&path).unwrap_or_default();
    assert!(have == want, "{} is stale; run the tests with UPDATE_EXPECT=1", path.display());
}

#[test]
fn not_yet_is_what_is_missing() {
    let served = served();
    let missing =
        include_str!("../surface.txt").lines().filter(|line| !served.contains(&normal(line)));
    let text = missing.fold(String::new(), |text, line| text + line + "\n");
    check("not-yet.txt", &text);
}

#[test]
fn every_endpoint_is_of_the_surface() {
    let surface: BTreeSet<_> = include_str!("../surface.txt").lines().map(normal).collect();
    assert_eq!(surface.len(), 241, "LXD 5.21.7 has 241 operations");
    // What LXD has beneath `/internal` is for its own programs, and in no list.
    let public = |line: &&String| !line.contains(" /internal/");
    let own: Vec<_> = served().difference(&surface).filter(public).cloned().collect();
    assert_eq!(own, Vec::<String>::new());
}

#[test]
fn no_endpoint_twice() {
    assert_eq!(served().len(), ENDPOINTS.len());
}

#[test]
fn the_openapi_document_is_fresh() {
    let text = serde_json::to_string_pretty(&crate::openapi::document()).unwrap() + "\n";
    check("../../docs/openapi.json", &text);
}
