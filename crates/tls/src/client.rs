//! The client's side of TLS: the server is the one whose certificate is known, whoever signed that; or, for who has an
//! authority of his own, one that it signed.

use std::{fmt, io, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::{TLS12, TLS13},
};
use tokio::{
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Identity, authority, certificate, server::MEMBER};

/// How long a server may take to answer a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which server is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The one whose certificate has this fingerprint, in hexadecimal.
    Fingerprint(String),
    /// One whose certificate an authority signed, for the name that it is reached by; else as with `Fingerprint`.
    Signed {
        /// The certificate of the authority, PEM.
        authority: String,
        /// A fingerprint in hexadecimal; none is empty.
        otherwise: String,
    },
    /// A member of our cluster: its own certificate has this fingerprint.
    Member(String),
    /// Whoever answers, to see its certificate.
    Anybody,
}

/// Connects to `host:port` and shows it the certificate of `me`.
///
/// # Errors
/// When nobody is there, or another than is meant.
pub async fn connect(
    host: &str,
    port: u16,
    pin: &Pin,
    me: Option<&Identity>,
) -> io::Result<TlsStream<TcpStream>> {
    let config =
        config(pin, me).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    // Only for what an authority signed the name is looked at; one that cannot stand in a certificate must not keep
    // anybody away.
    let name = ServerName::try_from(match pin {
        Pin::Member(_) => MEMBER.to_owned(),
        _ => host.to_owned(),
    });
    let name = name.or_else(|_| ServerName::try_from("microcloud")).map_err(io::Error::other)?;
    let connected = async {
        let stream = TcpStream::connect((host, port)).await?;
        // Requests are written whole: waiting for more of one only costs time.
        stream.set_nodelay(true)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "nobody answers");
    timeout(PATIENCE, connected).await.map_err(late)?.map_err(plainly)
}

/// An error of [`Known`] in its own words: the library shows it as a defect.
fn plainly(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    match cause {
        Some(Error::InvalidCertificate(CertificateError::Other(another))) => {
            io::Error::new(io::ErrorKind::PermissionDenied, another.0.to_string())
        }
        _ => error,
    }
}

fn config(pin: &Pin, me: Option<&Identity>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let authority = match pin {
        Pin::Signed { authority, .. } => Some(authority::of_servers(authority)?),
        _ => None,
    };
    let known = Arc::new(Known { pin: pin.clone(), authority, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(known);
    let mut config = match me {
        Some(me) => config.with_client_auth_cert(me.chain(), me.key())?,
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes the server that is meant.
#[derive(Debug)]
struct Known {
    pin: Pin,
    authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

/// A server is not the one that is meant.
#[derive(Debug)]
struct Another {
    wanted: String,
    found: String,
}

impl fmt::Display for Another {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Another { wanted, found } = self;
        write!(
            f,
            "the server's certificate is {found}, and {wanted} is trusted: another server, or a new certificate"
        )
    }
}

impl std::error::Error for Another {}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(authority) = &self.authority
            && let Ok(verified) = authority.verify_server_cert(certificate, between, name, &[], now)
        {
            return Ok(verified);
        }
        let found = certificate::fingerprint(certificate);
        match &self.pin {
            Pin::Fingerprint(wanted)
            | Pin::Member(wanted)
            | Pin::Signed { otherwise: wanted, .. }
                if !wanted.eq_ignore_ascii_case(&found) =>
            {
                let another = Another { wanted: wanted.clone(), found };
                Err(CertificateError::Other(OtherError(Arc::new(another))).into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
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
