//! An authority of one's own, and what it signed: who has that is known by it (PKI, `docs/decisions/trust.md`).
//!
//! It signs by itself: what an authority beneath it signed is not known here.

use std::{fmt, fs, io, path::Path, sync::Arc};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::WebPkiServerVerifier,
    crypto::ring,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// An authority, and what it revoked.
#[derive(Debug)]
pub struct Authority {
    clients: Arc<dyn ClientCertVerifier>,
}

/// Why an authority does not vouch for a certificate.
#[derive(Debug)]
pub struct Unsigned(Error);

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::InvalidCertificate(CertificateError::Revoked) => f.write_str("it is revoked"),
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                f.write_str("the authority did not sign it")
            }
            other => other.fmt(f),
        }
    }
}

impl std::error::Error for Unsigned {}

impl Authority {
    /// Reads the authority's certificate, PEM, and the list of what it revoked, PEM, if there is one; none where there
    /// is no such certificate.
    ///
    /// # Errors
    /// When one of the files is there and cannot be read or understood.
    pub fn find(certificate: &Path, revoked: &Path) -> io::Result<Option<Authority>> {
        let Some(text) = read(certificate)? else { return Ok(None) };
        let roots = roots(&text).map_err(|error| unusable(certificate, error))?;
        let lists = match read(revoked)? {
            Some(text) => lists(&text).map_err(|error| unusable(revoked, error))?,
            None => Vec::new(),
        };
        let provider = Arc::new(ring::default_provider());
        // A list speaks of what its own authority signed; what no list is about is not revoked.
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .with_crls(lists)
            .allow_unknown_revocation_status()
            .build()
            .map_err(|error| unusable(revoked, error))?;
        Ok(Some(Authority { clients }))
    }

    /// Fails unless it signed the certificate for a client, for now, and did not revoke it.
    ///
    /// # Errors
    /// Says which of these it is.
    pub fn vouch(&self, certificate: &[u8]) -> Result<(), Unsigned> {
        let certificate = CertificateDer::from(certificate);
        let verified = self.clients.verify_client_cert(
            &certificate,
            &[],
            UnixTime::since_unix_epoch(clock::since_1970()),
        );
        verified.map(drop).map_err(Unsigned)
    }
}

/// What takes servers whose certificates the authorities in `text`, PEM, signed.
pub(crate) fn of_servers(text: &str) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let provider = Arc::new(ring::default_provider());
    let roots = roots(text.as_bytes()).map_err(Error::General)?;
    let built = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
    built.map_err(|error| Error::General(error.to_string()))
}

fn roots(text: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_slice_iter(text) {
        let added = found.map_err(|error| error.to_string());
        added.and_then(|found| roots.add(found).map_err(|error| error.to_string()))?;
    }
    if roots.is_empty() { Err(String::from("no certificate is in it")) } else { Ok(roots) }
}

fn lists(text: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let found = CertificateRevocationListDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err(String::from("no revocation list is in it")) } else { Ok(found) }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error)),
        found => found.map(Some),
    }
}

fn unusable(path: &Path, error: impl fmt::Display) -> io::Error {
    let words = format!("{} cannot be used: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;

    struct Made {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority(name: &str) -> Made {
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = wanted.self_signed(&key).unwrap().pem();
        Made { issuer: Issuer::new(wanted, key), pem }
    }

    fn signed(by: &Made, serial: u64, until: i32) -> CertificateDer<'static> {
        let mut wanted = CertificateParams::default();
        wanted.serial_number = Some(SerialNumber::from(serial));
        wanted.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        wanted.signed_by(&key, &by.issuer).unwrap().der().clone()
    }

    fn revoking(by: &Made, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2024, 2, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&by.issuer).unwrap().pem().unwrap()
    }

    #[test]
    fn an_authority_vouches_for_what_it_signed_and_did_not_revoke() {
        let folder = tempfile::tempdir().unwrap();
        let (ca, crl) = (folder.path().join("server.ca"), folder.path().join("ca.crl"));
        let find = || Authority::find(&ca, &crl);
        assert!(find().unwrap().is_none());
        let (ours, other) = (authority("ours"), authority("other"));
        fs::write(&ca, &ours.pem).unwrap();
        let (first, second) = (signed(&ours, 1, 2099), signed(&ours, 2, 2099));
        let found = find().unwrap().unwrap();
        found.vouch(&first).unwrap();
        found.vouch(&second).unwrap();
        let refused =
            |found: &Authority, one: &[u8]| found.vouch(one).expect_err("refused").to_string();
        let foreign = signed(&other, 1, 2099);
        assert_eq!(refused(&found, &foreign), "the authority did not sign it");
        assert!(refused(&found, &signed(&ours, 3, 2001)).contains("expired"));
        assert!(!refused(&found, b"none").is_empty());

        // One whose time is over still says who is revoked.
        fs::write(&crl, revoking(&ours, 2)).unwrap();
        let found = find().unwrap().unwrap();
        found.vouch(&first).unwrap();
        assert_eq!(refused(&found, &second), "it is revoked");

        fs::write(&crl, "none").unwrap();
        let error = find().unwrap_err().to_string();
        assert!(error.contains("ca.crl") && error.contains("no revocation list"), "{error}");
        fs::write(&ca, "none").unwrap();
        assert!(find().unwrap_err().to_string().contains("server.ca"));
    }
}
