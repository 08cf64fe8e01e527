//! The server's certificate: `server.crt` and `server.key` in the state folder, made by itself when they are
//! not there. Whoever has a better one puts it there.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use cloud::Dirs;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// What takes connections over TLS.
pub(crate) fn acceptor(dirs: &Dirs, name: &str) -> io::Result<TlsAcceptor> {
    let (certificate, key) = (dirs.root().join("server.crt"), dirs.root().join("server.key"));
    if !certificate.exists() {
        make(&certificate, &key, name)?;
    }
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&certificate, error))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(&key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&certificate, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{} cannot be used: {error}", path.display()),
    )
}

/// Makes a certificate of the server's own; the key first, so that one without the other is made again.
fn make(certificate: &Path, key: &Path, name: &str) -> io::Result<()> {
    let names = [name, "localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let mut wanted = rcgen::CertificateParams::new(names).map_err(io::Error::other)?;
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::OrganizationName, "MicroCloud");
    wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
    let pair = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let made = wanted.self_signed(&pair).map_err(io::Error::other)?;
    write(key, &pair.serialize_pem(), 0o600)?;
    write(certificate, &made.pem(), 0o644)
}

/// In place or not at all.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut open = OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let dirs = Dirs::new(folder.path());
        acceptor(&dirs, "pi").unwrap();
        let first = fs::read(folder.path().join("server.crt")).unwrap();
        acceptor(&dirs, "pi").unwrap();
        assert_eq!(fs::read(folder.path().join("server.crt")).unwrap(), first);
        fs::write(folder.path().join("server.key"), "none").unwrap();
        let error = acceptor(&dirs, "pi").err().unwrap().to_string();
        assert!(error.contains("server.key"), "{error}");
    }
}
