//! Certificates that the server trusts.

api! {
    /// A trusted certificate.
    pub struct Certificate {
        /// SHA-256, in hex.
        pub fingerprint: String,
        /// The certificate, PEM.
        pub certificate: String,
        /// Name.
        pub name: String,
        /// Free text.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub description: String,
        /// `client`, `server` or `metrics`.
        pub r#type: String,
        /// Whether it is held to `projects`.
        pub restricted: bool,
        /// Projects it may use when restricted.
        pub projects: Vec<String>,
    }

    /// A certificate's changeable part, to replace it.
    pub struct CertificatePut {
        /// The certificate, PEM.
        pub certificate: String,
        /// Name.
        pub name: String,
        /// Kind.
        pub r#type: String,
        /// Whether it is held to `projects`.
        pub restricted: bool,
        /// Projects.
        pub projects: Vec<String>,
    }

    /// A new trusted certificate, or a token for one to come.
    pub struct CertificatesPost {
        /// The certificate, PEM; empty takes the client's own.
        pub certificate: String,
        /// Name.
        pub name: String,
        /// Kind.
        pub r#type: String,
        /// Whether it is held to `projects`.
        pub restricted: bool,
        /// Projects.
        pub projects: Vec<String>,
        /// Whether to make a token instead.
        pub token: bool,
        /// The token of a client that is not trusted yet.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub trust_token: String,
        /// The same, where older clients have it.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub password: String,
    }

    /// What a token says, as JSON in base64: how a client finds the server, knows it, and gets trusted.
    pub struct CertificateAddToken {
        /// Name that the client's certificate gets.
        pub client_name: String,
        /// SHA-256 of the server's certificate, in hex.
        pub fingerprint: String,
        /// Where the server is.
        pub addresses: Vec<String>,
        /// What the server knows the token by.
        pub secret: String,
        /// Until when it can be used; never: for ever.
        pub expires_at: crate::Timestamp,
    }
}

impl Certificate {
    /// The part that a PUT replaces, as it is now.
    pub fn writable(&self) -> CertificatePut {
        CertificatePut {
            certificate: self.certificate.clone(),
            name: self.name.clone(),
            r#type: self.r#type.clone(),
            restricted: self.restricted,
            projects: self.projects.clone(),
        }
    }
}
