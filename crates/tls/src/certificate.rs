//! A certificate: its text, its fingerprint, the time it is for.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};

/// Letters of a line of PEM (RFC 7468).
const LINE: usize = 64;

/// SHA-256 of a certificate as it is sent, in hexadecimal.
pub fn fingerprint(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first certificate in a text of PEM; or one in base64 alone, as LXD's clients send theirs.
///
/// # Errors
/// When there is none.
pub fn from_text(text: &str) -> io::Result<CertificateDer<'static>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let found = match text.contains("-----BEGIN") {
        true => CertificateDer::from_pem_slice(text.as_bytes()).map_err(|why| bad(why.to_string())),
        false => STANDARD.decode(text.trim()).map(Into::into).map_err(|why| bad(why.to_string())),
    }?;
    match validity(&found) {
        Some(_) => Ok(found),
        None => Err(bad(String::from("it is no X.509 certificate"))),
    }
}

/// A certificate as text.
pub fn to_pem(certificate: &[u8]) -> String {
    let letters = STANDARD.encode(certificate);
    let lines = letters.as_bytes().chunks(LINE).map(String::from_utf8_lossy);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Whether a certificate is for this moment; one that cannot be read is not.
pub fn is_valid_now(certificate: &[u8]) -> bool {
    let now = clock::utc();
    validity(certificate).is_some_and(|(from, to)| from <= now && now <= to)
}

/// From when to when it is valid (RFC 5280, 4.1): the fourth part of the signed part, behind version, serial
/// number, algorithm and issuer.
fn validity(certificate: &[u8]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (SEQUENCE, whole, _) = part(certificate)? else { return None };
    let (SEQUENCE, mut signed, _) = part(whole)? else { return None };
    if let (VERSION, _, rest) = part(signed)? {
        signed = rest;
    }
    for _ in 0..3 {
        (_, _, signed) = part(signed)?;
    }
    let (SEQUENCE, times, _) = part(signed)? else { return None };
    let (kind, from, rest) = part(times)?;
    let from = time(kind, from)?;
    let (kind, to, _) = part(rest)?;
    Some((from, time(kind, to)?))
}

/// Tags of DER (X.690).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first part of `der`: its tag, what is in it, what comes behind.
fn part(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            let add = |sum: usize, digit: &u8| sum.checked_mul(256)?.checked_add((*digit).into());
            (digits.iter().try_fold(0, add)?, rest)
        }
    };
    let (inner, behind) = rest.split_at_checked(length)?;
    Some((*tag, inner, behind))
}

fn time(kind: u8, digits: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(digits).ok()?;
    let full = match kind {
        // Years of two digits: before 50 they are of this century.
        UTC_TIME => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    Some(NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(until: i32) -> CertificateDer<'static> {
        let mut wanted = rcgen::CertificateParams::new(vec![String::from("x")]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(2001, 2, 3);
        wanted.not_after = rcgen::date_time_ymd(until, 5, 6);
        let pair = rcgen::KeyPair::generate().unwrap();
        wanted.self_signed(&pair).unwrap().der().clone()
    }

    #[test]
    fn the_time_of_a_certificate_is_read() {
        let (from, to) = validity(&made(2049)).unwrap();
        assert_eq!(from.to_rfc3339(), "2001-02-03T00:00:00+00:00");
        assert_eq!(to.to_rfc3339(), "2049-05-06T00:00:00+00:00");
        assert!(is_valid_now(&made(2051)), "years from 2050 on are written another way");
        assert!(!is_valid_now(&made(2002)));
        let whole = made(2051);
        for end in 0..whole.len().min(200) {
            assert!(!is_valid_now(&whole[..end]), "cut after {end} bytes");
        }
    }

    #[test]
    fn text_and_bytes_are_the_same_certificate() {
        let one = made(2030);
        let text = to_pem(&one);
        assert_eq!(from_text(&text).unwrap(), one);
        assert_eq!(from_text(&STANDARD.encode(&one)).unwrap(), one);
        assert_eq!(fingerprint(&one).len(), 64);
        assert!(from_text("no certificate").is_err());
        assert!(from_text("").is_err());
    }
}
