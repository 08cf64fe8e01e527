//! Two machines that show each other certificates nobody knows yet find out whether both know the same few words.
//!
//! ```text
//! guest ── element ──────────────────────> host
//! guest <── element ─────────────────────  host       both have a key; it is the same if words and certificates are
//! guest ── proof(what it says) ──────────> host       wrong: a guess was used up
//! guest <── proof(what it answers) ──────  host
//! ```
//! SPAKE2 (RFC 9382, as the crate `spake2` has it): whoever listens, or carries it on between the two, learns nothing
//! of the words, and who takes part learns in each exchange whether one guess was right. The fingerprints of both
//! certificates, as each end saw them, are part of it: who sits between has another than either, and so no key.
//!
//! The guest proves first, so that a host counts all guesses there are. What is an exchange worth, how many there
//! are, and what for, is the caller's.

use ring::hmac;
use spake2::{Ed25519Group, Identity as Party, Password, Spake2};

/// What each end's certificate is known by: SHA-256, in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The one that knows the words from a person.
    pub guest: &'a str,
    /// The one that showed them.
    pub host: &'a str,
}

/// An exchange that waits for the other end's element.
pub struct Exchange {
    half: Spake2<Ed25519Group>,
    element: Vec<u8>,
}

/// What both ends have in common, if they know the same words and saw the same certificates.
pub struct Agreed {
    key: hmac::Key,
}

/// Who says something. A proof of one is none of the other.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// The end that came.
    Guest,
    /// The end that was there.
    Host,
}

impl Exchange {
    /// Begins at the end of the guest.
    pub fn guest(words: &str, ends: Ends<'_>) -> Exchange {
        let [guest, host] = parties(ends);
        let (half, element) = Spake2::start_a(&Password::new(words), &guest, &host);
        Exchange { half, element }
    }

    /// Begins at the end of the host.
    pub fn host(words: &str, ends: Ends<'_>) -> Exchange {
        let [guest, host] = parties(ends);
        let (half, element) = Spake2::start_b(&Password::new(words), &guest, &host);
        Exchange { half, element }
    }

    /// What the other end is to be given.
    pub fn element(&self) -> &[u8] {
        &self.element
    }

    /// Goes on with what the other end gave; none if that is no element of an exchange.
    pub fn agree(self, element: &[u8]) -> Option<Agreed> {
        let key = self.half.finish(element).ok()?;
        Some(Agreed { key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }
}

fn parties(ends: Ends<'_>) -> [Party; 2] {
    let party = |role: &str, fingerprint: &str| {
        Party::new(format!("microcloud {role} {}", fingerprint.to_lowercase()).as_bytes())
    };
    [party("guest", ends.guest), party("host", ends.host)]
}

impl Agreed {
    /// Proves that `side` knows the words, and says these parts.
    pub fn prove(&self, side: Side, parts: &[&str]) -> Vec<u8> {
        hmac::sign(&self.key, &said(side, parts)).as_ref().to_vec()
    }

    /// Whether this proves it; compared in a time that tells nothing.
    pub fn is_proof(&self, side: Side, parts: &[&str], proof: &[u8]) -> bool {
        hmac::verify(&self.key, &said(side, parts), proof).is_ok()
    }
}

/// Who says what, so that no two sayings are the same bytes: each part has its length before it.
fn said(side: Side, parts: &[&str]) -> Vec<u8> {
    let mut bytes = match side {
        Side::Guest => b"guest".to_vec(),
        Side::Host => b"host".to_vec(),
    };
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: Ends<'_> = Ends { guest: "aa", host: "bb" };

    fn both(guest: (&str, Ends<'_>), host: (&str, Ends<'_>)) -> (Agreed, Agreed) {
        let (one, other) = (Exchange::guest(guest.0, guest.1), Exchange::host(host.0, host.1));
        let (first, second) = (one.element().to_vec(), other.element().to_vec());
        (one.agree(&second).unwrap(), other.agree(&first).unwrap())
    }

    #[test]
    fn the_same_words_and_certificates_make_the_same_key() {
        let (guest, host) = both(("x y z", ENDS), ("x y z", Ends { guest: "AA", host: "bb" }));
        let proof = guest.prove(Side::Guest, &["web", "1"]);
        assert!(host.is_proof(Side::Guest, &["web", "1"], &proof));
        assert!(!host.is_proof(Side::Host, &["web", "1"], &proof), "it is the guest's");
        for other in [&["web1", ""][..], &["web"], &["web", "1", ""], &["web", "2"]] {
            assert!(!host.is_proof(Side::Guest, other, &proof), "{other:?}");
        }
        assert!(!host.is_proof(Side::Guest, &["web", "1"], &proof[1..]));
    }

    #[test]
    fn what_differs_at_one_end_makes_another_key() {
        let who = |guest, host| Ends { guest, host };
        for host in [
            ("x y w", ENDS),
            // Somebody between the two has a certificate of its own.
            ("x y z", who("aa", "cc")),
            ("x y z", who("cc", "bb")),
            ("x y z", who("bb", "aa")),
        ] {
            let (guest, host) = both(("x y z", ENDS), host);
            let proof = guest.prove(Side::Guest, &[]);
            assert!(!host.is_proof(Side::Guest, &[], &proof));
        }
    }

    #[test]
    fn an_exchange_that_was_recorded_is_good_for_nothing() {
        let (guest, host) = both(("x y z", ENDS), ("x y z", ENDS));
        let proof = guest.prove(Side::Guest, &[]);
        assert!(host.is_proof(Side::Guest, &[], &proof));
        let recorded = Exchange::guest("x y z", ENDS).element().to_vec();
        let again = Exchange::host("x y z", ENDS).agree(&recorded).unwrap();
        assert!(!again.is_proof(Side::Guest, &[], &proof), "each exchange has a key of its own");
    }

    #[test]
    fn what_is_no_element_is_refused() {
        let host = || Exchange::host("x y z", ENDS);
        let own = host().element().to_vec();
        for bad in [&[][..], &[65], &[0; 33], &own] {
            assert!(host().agree(bad).is_none(), "{bad:?}");
        }
    }
}
