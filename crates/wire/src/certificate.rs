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
    }
}
