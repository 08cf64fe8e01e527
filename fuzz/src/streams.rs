//! Lists of servers that speak simplestreams.

use images::streams::Catalog;

/// Reads it as an index, and as a list of products.
pub fn look(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    drop(Catalog::lists("https://a.b", text));
    let Ok(all) = Catalog::parse("https://a.b", text) else { return };
    for image in all.all().iter().take(20) {
        let _ = (image.made_at(), image.expires_at(), image.size());
        for alias in &image.aliases {
            assert!(all.by_alias(alias, &image.architecture, image.kind).is_some(), "{alias}");
        }
        // Two may have the same beginning.
        drop(all.by_fingerprint(&image.fingerprint));
    }
}

/// An index, and a list.
pub fn seeds() -> Vec<Vec<u8>> {
    let index = r#"{"format": "index:1.0", "index": {"images": {"datatype": "image-downloads",
        "path": "streams/v1/images.json", "format": "products:1.0", "products": ["a"]}}}"#;
    let list = r#"{"format": "products:1.0", "products": {"debian:bookworm:amd64:default": {
        "aliases": "debian/12/default,debian/12", "arch": "amd64", "os": "Debian",
        "release": "bookworm", "release_title": "bookworm", "variant": "default", "version": "12",
        "support_eol": "2028-06-30", "requirements": {"secureboot": "false"}, "versions": {
        "20261120_05:24": {"label": "release", "items": {
            "incus.tar.xz": {"ftype": "incus.tar.xz", "path": "a/meta", "size": 1, "sha256": "03",
                "combined_rootxz_sha256": "aa02", "combined_squashfs_sha256": "aa03",
                "combined_disk-kvm-img_sha256": "bb01"},
            "disk.qcow2": {"ftype": "disk-kvm.img", "path": "a/disk", "size": 9, "sha256": "05"},
            "root.squashfs": {"ftype": "squashfs", "path": "a/squash", "size": 18446744073709551615, "sha256": "06"},
            "root.tar.xz": {"ftype": "root.tar.xz", "path": "a/root", "size": 5, "sha256": "04"}}}}}}}"#;
    [index, list].map(|text| text.as_bytes().to_vec()).to_vec()
}
