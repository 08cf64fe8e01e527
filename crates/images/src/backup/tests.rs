use super::*;

/// As LXD 5.0.2 writes it, shortened.
const OF_LXD: &str = r#"name: web
backend: dir
pool: default
snapshots:
- snap0
optimized: false
optimized_header: false
type: container
config:
  container:
    architecture: x86_64
    config:
      image.os: busy
      volatile.idmap.base: "0"
      volatile.idmap.next: '[{"Isuid":true,"Hostid":100000}]'
    devices: {}
    ephemeral: false
    profiles:
    - default
    stateful: false
    description: ""
    created_at: 2026-11-28T07:14:21.736902358Z
    name: web
    status: Stopped
    status_code: 102
    type: container
    project: default
  snapshots:
  - expires_at: 0001-01-01T00:00:00Z
    architecture: x86_64
    config: {}
    created_at: 2026-11-28T07:14:22.11390004Z
    devices: {}
    name: snap0
    profiles: []
    size: -1
  pool:
    name: default
    driver: dir
  profiles: []
  volume_snapshots:
  - name: snap0
    config: {}
"#;

#[test]
fn what_lxd_wrote_is_read_and_written_again() {
    let index = Index::parse(OF_LXD.as_bytes()).unwrap();
    let config = index.config.clone().unwrap();
    let web = config.container.unwrap();
    assert_eq!(web.config["volatile.idmap.base"], "0");
    assert_eq!(web.profiles, ["default"]);
    assert_eq!(config.snapshots[0].name, "snap0");
    assert!(config.snapshots[0].expires_at.is_never());
    let again = Index::parse(index.text().unwrap().as_bytes()).unwrap();
    assert_eq!(again, index);
}

#[test]
fn words_that_look_like_something_else_stay_words() {
    let mut web = Instance { name: "web".into(), ..Instance::default() };
    for (key, value) in [
        ("user.a", "true"),
        ("user.b", "0x10"),
        ("user.c", "1:20"),
        ("user.d", "a: b\n# c\n  - d\ttab\n"),
        ("user.e", ""),
        ("user.f", "~"),
        ("user.g", "'\"\\ \u{1} é"),
        ("user.h", " spaces \n"),
    ] {
        web.config.insert(key.into(), value.into());
    }
    let config = Config { container: Some(web), ..Config::default() };
    let index = Index { name: "web".into(), config: Some(config), ..Index::default() };
    assert_eq!(Index::parse(index.text().unwrap().as_bytes()).unwrap(), index);
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    for bad in ["", "name: ''", "name: [1]", "snapshots: 5", "{", "a: &a [*a, *a]", "\u{1}"] {
        let error = Index::parse(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("backup/index.yaml is invalid: "), "{error}");
    }
}
