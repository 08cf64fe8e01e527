//! The server's side of TLS: a client may show a certificate, and that it has the key to it is proved here.

use std::{io, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

use crate::Identity;

/// Who comes.
#[derive(Clone, Copy, Debug)]
pub enum Clients {
    /// Clients of the API: they are asked for their certificates, and speak TLS 1.3.
    Known,
    /// Clients of all kinds: they are known by other means, and may speak TLS 1.2.
    Any,
}

/// The name by which members of a cluster ask for a member's own certificate.
pub(crate) const MEMBER: &str = "member.microcloud";

/// What takes connections over TLS.
///
/// # Errors
/// When key and certificate do not belong together.
pub fn acceptor(identity: &Identity, clients: Clients) -> io::Result<TlsAcceptor> {
    accept_as(identity, None, clients)
}

/// The same for a member of a cluster: clients see the certificate of all members, other members its own.
///
/// # Errors
/// As [`acceptor`].
pub fn member_acceptor(all: &Identity, own: &Identity) -> io::Result<TlsAcceptor> {
    accept_as(all, Some(own), Clients::Known)
}

fn accept_as(
    usual: &Identity,
    member: Option<&Identity>,
    clients: Clients,
) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = match clients {
        Clients::Known => &[&TLS13],
        Clients::Any => &[&TLS13, &TLS12],
    };
    let anybody = Arc::new(Anybody { provider: provider.clone() });
    let by_provider = provider.clone();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .and_then(|config| {
            let config = match clients {
                Clients::Known => config.with_client_cert_verifier(anybody),
                Clients::Any => config.with_no_client_auth(),
            };
            let key = |identity: &Identity| {
                let key = CertifiedKey::from_der(identity.chain(), identity.key(), &by_provider)?;
                Ok::<_, Error>(Arc::new(key))
            };
            let keys = Keys { usual: key(usual)?, member: key(member.unwrap_or(usual))? };
            Ok(config.with_cert_resolver(Arc::new(keys)))
        })
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Which certificate is shown.
#[derive(Debug)]
struct Keys {
    usual: Arc<CertifiedKey>,
    member: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_member = hello.server_name() == Some(MEMBER);
        Some(if is_member { self.member.clone() } else { self.usual.clone() })
    }
}

/// Takes every client, with any certificate or none, if it has the key.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
