//! Certificates of clients that the server trusts.

use serde_json::Value;

use crate::{
    Certificate, CertificatePut, CertificatesPost, Empty, Listing, Patch,
    endpoints::{
        Entity::Certificate as ACertificate,
        Permission::{Authenticated, Can, Untrusted},
        Verb::{Delete, Edit, View},
    },
    query::{ListQuery, NoQuery},
};

endpoints! {
    /// Lists trusted certificates.
    CertificatesList: Get "/1.0/certificates" since "", needs Authenticated, Sync, ListQuery, Empty => Listing<Certificate>;

    /// Trusts a certificate; or makes a token, with which a client gets its own trusted.
    CertificateCreate: Post "/1.0/certificates" since "", needs Untrusted, Raw, NoQuery, CertificatesPost => Value;

    /// Shows a trusted certificate.
    CertificateGet: Get "/1.0/certificates/{fingerprint}" since "", needs Can(View, ACertificate),
        Sync, NoQuery, Empty => Certificate;

    /// Replaces what is known of a certificate.
    CertificateReplace: Put "/1.0/certificates/{fingerprint}" since "certificate_update", needs Can(Edit, ACertificate),
        Sync, NoQuery, CertificatePut => Empty;

    /// Changes some of what is known of a certificate.
    CertificatePatch: Patch "/1.0/certificates/{fingerprint}" since "certificate_update", needs Can(Edit, ACertificate),
        Sync, NoQuery, Patch<CertificatePut> => Empty;

    /// Trusts a certificate no more.
    CertificateDelete: Delete "/1.0/certificates/{fingerprint}" since "", needs Can(Delete, ACertificate),
        Sync, NoQuery, Empty => Empty;
}
