use std::io;

use futures_util::stream;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn request(kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/1.0/images").header(CONTENT_TYPE, kind).body(body.into()).unwrap()
}

const FORM_TYPE: &str = "multipart/form-data; boundary=xyz";

fn part(name: &str, contents: &str) -> String {
    format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n\
         {contents}\r\n"
    )
}

#[test]
fn headers_say_what_the_image_is() {
    let (post, fingerprint) = described(&headers(&[
        ("x-lxd-filename", "debian.tar.xz"),
        ("x-lxd-public", "1"),
        ("x-lxd-fingerprint", "abc"),
        ("x-lxd-properties", "os=Debian&description=Debian+13%20%28trixie%29"),
        ("x-lxd-profiles", "profile=default&profile=big"),
        ("x-lxd-aliases", "alias=debian/13&alias=trixie"),
    ]))
    .unwrap();
    assert_eq!(fingerprint.as_deref(), Some("abc"));
    assert_eq!((post.filename.as_str(), post.public), ("debian.tar.xz", true));
    assert_eq!(post.properties["description"], "Debian 13 (trixie)");
    assert_eq!(post.profiles, ["default", "big"]);
    let aliases: Vec<_> = post.aliases.iter().map(|alias| alias.name.as_str()).collect();
    assert_eq!(aliases, ["debian/13", "trixie"]);
}

#[test]
fn no_header_is_needed() {
    let (post, fingerprint) = described(&HeaderMap::new()).unwrap();
    assert_eq!((post, fingerprint), (ImagesPost::default(), None));
}

#[tokio::test]
async fn one_file_is_the_body_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (upload, sent) = is_upload(request("application/octet-stream", "an image")).await.unwrap();
    assert!(upload);
    let received = receive(folder.path(), sent).await.unwrap();
    let upload = received.upload();
    assert_eq!(std::fs::read_to_string(&upload.main).unwrap(), "an image");
    assert_eq!(upload.rootfs, None);
    received.hand_over();
    assert!(upload.main.exists());
}

#[tokio::test]
async fn two_files_are_a_form() {
    let folder = tempfile::tempdir().unwrap();
    let body = part("metadata", "meta") + &part("rootfs", "root") + "--xyz--\r\n";
    let (upload, sent) = is_upload(request(FORM_TYPE, body)).await.unwrap();
    assert!(upload);
    let received = receive(folder.path(), sent).await.unwrap();
    let upload = received.upload();
    assert_eq!(std::fs::read_to_string(upload.main).unwrap(), "meta");
    assert_eq!(std::fs::read_to_string(upload.rootfs.unwrap()).unwrap(), "root");
    drop(received);
    assert!(names(folder.path()).is_empty(), "nobody took the files over");
}

#[tokio::test]
async fn a_form_that_is_no_image_is_refused_and_leaves_nothing() {
    let (metadata, rootfs) = (part("metadata", "m"), part("rootfs", "r"));
    for (body, words) in [
        (String::new(), "form"),
        (metadata.clone() + "--xyz--\r\n", "\"rootfs\" is missing"),
        (rootfs.clone() + "--xyz--\r\n", "\"metadata\" is missing"),
        (part("surprise", "s") + "--xyz--\r\n", "surprise"),
        (metadata.clone() + &metadata + "--xyz--\r\n", "more than one"),
        (metadata + "--xyz\r\nContent-Disposition: form-data; name=\"rootfs\"\r\n\r\nhalf", "form"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let Err(error) = receive(folder.path(), request(FORM_TYPE, body.clone())).await else {
            panic!("{body} was taken");
        };
        assert!(error.to_string().contains(words), "{error}");
        assert!(names(folder.path()).is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broken = [Ok(Bytes::from("half")), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let body = Body::from_stream(stream::iter(broken));
    assert!(receive(folder.path(), request("application/octet-stream", body)).await.is_err());
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn a_request_that_is_dropped_on_the_way_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = stream::iter([Ok::<_, io::Error>(Bytes::from("half"))]);
    let body = Body::from_stream(first.chain(stream::pending()));
    let receiving = receive(folder.path(), request("application/octet-stream", body));
    let patience = std::time::Duration::from_millis(200);
    assert!(tokio::time::timeout(patience, receiving).await.is_err());
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn json_is_no_upload() {
    for kind in ["application/json", "application/x-www-form-urlencoded"] {
        assert!(!is_upload(request(kind, "{}")).await.unwrap().0);
    }
}

/// pylxd says nothing of what it sends.
#[tokio::test]
async fn what_is_not_said_is_seen() {
    let whole = async |text: &'static str| {
        let mut sent = request("", text);
        sent.headers_mut().remove(CONTENT_TYPE);
        let (upload, sent) = is_upload(sent).await.unwrap();
        let body = axum::body::to_bytes(sent.into_body(), 1 << 20).await.unwrap();
        assert_eq!(body, text, "nothing is lost of it");
        upload
    };
    assert!(whole("\u{1f}\u{8b} an image").await);
    assert!(!whole(" \n{\"source\": {}}").await);
    assert!(!whole("").await);
}
