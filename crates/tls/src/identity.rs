//! A certificate and its key, in two files that are made where they are missing. Whoever has better ones puts
//! them there.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::certificate;

/// What a certificate that is made is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// A server of this name.
    Server(&'a str),
    /// A client: this user on this machine.
    Client(&'a str),
}

/// A certificate and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the two files; makes them when there is no certificate.
    ///
    /// # Errors
    /// When they cannot be read, made, or understood.
    pub fn find(certificate: &Path, key: &Path, purpose: Purpose<'_>) -> io::Result<Identity> {
        if !certificate.exists() {
            make(certificate, key, purpose)?;
        }
        Identity::read(certificate, key)
    }

    /// Reads the two files.
    ///
    /// # Errors
    /// When they cannot be read or understood.
    pub fn read(certificate: &Path, key: &Path) -> io::Result<Identity> {
        let read = |path: &Path| fs::read(path).map_err(|error| unusable(path, error));
        Ok(Identity {
            chain: chain(&read(certificate)?).map_err(|error| unusable(certificate, error))?,
            key: private_key(&read(key)?).map_err(|error| unusable(key, error))?,
        })
    }

    /// Understands a certificate, perhaps with those that signed it behind it, and its key, both PEM.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn parse(certificate: &str, key: &str) -> io::Result<Identity> {
        let bad = |what: &str, error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the {what} is none: {error}"))
        };
        Ok(Identity {
            chain: chain(certificate.as_bytes()).map_err(|error| bad("certificate", error))?,
            key: private_key(key.as_bytes()).map_err(|error| bad("key", error))?,
        })
    }

    /// The certificate itself.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        // Not empty: see `chain`.
        &self.chain[0]
    }

    /// The certificate as text.
    pub fn pem(&self) -> String {
        certificate::to_pem(self.certificate())
    }

    /// SHA-256 of the certificate, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        certificate::fingerprint(self.certificate())
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

/// Not empty.
fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err(String::from("no certificate is in it")) } else { Ok(found) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| error.to_string())
}

fn unusable(path: &Path, error: impl fmt::Display) -> io::Error {
    let words = format!("{} cannot be used: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, words)
}

/// The key comes first, so that one without the other is made again. The time it is for is the library's: it has no
/// end that anybody will see, since clients know it by its fingerprint, and clocks of small machines may be wrong.
fn make(certificate: &Path, key: &Path, purpose: Purpose<'_>) -> io::Result<()> {
    let (names, own) = match purpose {
        Purpose::Server(name) => {
            ([name, "localhost", "127.0.0.1", "::1"].as_slice().to_vec(), name)
        }
        Purpose::Client(name) => (Vec::new(), name),
    };
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let mut wanted = rcgen::CertificateParams::new(names).map_err(io::Error::other)?;
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::OrganizationName, "MicroCloud");
    wanted.distinguished_name.push(rcgen::DnType::CommonName, own);
    wanted.extended_key_usages = vec![match purpose {
        Purpose::Server(_) => rcgen::ExtendedKeyUsagePurpose::ServerAuth,
        Purpose::Client(_) => rcgen::ExtendedKeyUsagePurpose::ClientAuth,
    }];
    let pair = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let made = wanted.self_signed(&pair).map_err(io::Error::other)?;
    write(key, &pair.serialize_pem(), 0o600)?;
    write(certificate, &made.pem(), 0o644)
}

/// Writes a certificate and its key, PEM, to two files, durably; the key first.
///
/// # Errors
/// When they cannot be written.
pub fn keep(certificate: &Path, text: &str, key: &Path, key_text: &str) -> io::Result<()> {
    write(key, key_text, 0o600)?;
    write(certificate, text, 0o644)
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
        let (certificate, key) =
            (folder.path().join("server.crt"), folder.path().join("server.key"));
        let find = || Identity::find(&certificate, &key, Purpose::Server("pi"));
        let first = find().unwrap();
        assert!(certificate::is_valid_now(first.certificate()));
        assert_eq!(find().unwrap().fingerprint(), first.fingerprint());
        assert_eq!(
            first.pem().replace('\r', ""),
            fs::read_to_string(&certificate).unwrap().replace('\r', "")
        );
        let text = |path| fs::read_to_string(path).unwrap();
        let parsed = Identity::parse(&text(&certificate), &text(&key)).unwrap();
        assert_eq!(parsed.fingerprint(), first.fingerprint());
        let error = Identity::parse(&text(&key), &text(&key)).unwrap_err().to_string();
        assert!(error.contains("the certificate is none"), "{error}");
        fs::write(&key, "none").unwrap();
        let error = find().unwrap_err().to_string();
        assert!(error.contains("server.key"), "{error}");
    }
}
