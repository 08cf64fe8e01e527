//! Names of images: built by the daemon, of a public server, a fingerprint, or an alias.

use wire::{ImagesPostSource, InstanceSource};

use crate::remotes::{ImageName, Remotes};

/// How the daemon knows that it builds the image itself.
const BUILD: &str = "microcloud-build";

/// Images without a release.
const BUILT: [&str; 1] = ["busybox"];

/// What a name of an image means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// The daemon builds it: `debian:12` is `debian/12`.
    Built(String),
    /// The start of a fingerprint, at least 12 digits.
    Fingerprint(String),
    /// An alias on the server.
    Alias(String),
    /// An alias on a server of images.
    Elsewhere { server: String, alias: String },
}

fn parse(name: &str, remotes: &Remotes) -> Name {
    if let Some(alias) = name.strip_prefix("local:") {
        return Name::Alias(alias.to_owned());
    }
    if let Some(ImageName { server, rest }) = remotes.image(name) {
        return Name::Elsewhere { server: server.to_owned(), alias: rest.to_owned() };
    }
    if BUILT.contains(&name) || name.contains(':') {
        return Name::Built(name.replacen(':', "/", 1));
    }
    if name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Name::Fingerprint(name.to_owned());
    }
    Name::Alias(name.to_owned())
}

/// Where a new instance comes from.
pub(crate) fn of_instance(image: &str, remotes: &Remotes) -> InstanceSource {
    let mut source = InstanceSource { r#type: "image".into(), ..InstanceSource::default() };
    match parse(image, remotes) {
        Name::Fingerprint(fingerprint) => source.fingerprint = fingerprint,
        Name::Alias(alias) => source.alias = alias,
        Name::Built(alias) => {
            source.alias = alias;
            source.protocol = BUILD.into();
            source.mode = "pull".into();
        }
        Name::Elsewhere { server, alias } => {
            source.alias = alias;
            source.server = server;
            source.protocol = "simplestreams".into();
            source.mode = "pull".into();
        }
    }
    source
}

/// Where an image to build comes from; `debian/12` is as good as `debian:12` here.
pub(crate) fn of_build(image: &str, vm: bool) -> ImagesPostSource {
    let image_type = if vm { "virtual-machine" } else { "" };
    ImagesPostSource {
        image_type: image_type.into(),
        r#type: "image".into(),
        alias: image.replacen(':', "/", 1),
        protocol: BUILD.into(),
        mode: "pull".into(),
        ..ImagesPostSource::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_instance(image: &str) -> InstanceSource {
        super::of_instance(image, &Remotes::default())
    }

    #[test]
    fn distributions_are_built() {
        let want =
            json!({ "type": "image", "alias": "debian/12", "protocol": BUILD, "mode": "pull" });
        assert_eq!(json!(of_instance("debian:12")), want);
        assert_eq!(json!(of_build("debian:12", false)), want);
        assert_eq!(json!(of_instance("busybox"))["protocol"], BUILD);
        assert_eq!(json!(of_instance("ubuntu:24.04"))["alias"], "ubuntu/24.04");
    }

    #[test]
    fn images_of_the_public_server_are_fetched() {
        let want = json!({ "type": "image", "alias": "alpine/3.22", "server": crate::remotes::IMAGES.1,
            "protocol": "simplestreams", "mode": "pull" });
        assert_eq!(json!(of_instance("images:alpine/3.22")), want);
    }

    #[test]
    fn other_names_are_local() {
        assert_eq!(json!(of_instance("web-base")), json!({ "type": "image", "alias": "web-base" }));
        assert_eq!(
            json!(of_instance("debian/12")),
            json!({ "type": "image", "alias": "debian/12" })
        );
        assert_eq!(
            json!(of_instance("local:busybox")),
            json!({ "type": "image", "alias": "busybox" })
        );
    }

    #[test]
    fn long_hex_is_a_fingerprint() {
        let want = json!({ "type": "image", "fingerprint": "06b86454720d" });
        assert_eq!(json!(of_instance("06b86454720d")), want);
        assert_eq!(json!(of_instance("cafe"))["alias"], "cafe");
    }
}
