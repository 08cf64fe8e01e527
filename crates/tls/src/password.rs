//! A password that is kept as a hash: PBKDF2 with HMAC-SHA-256 (RFC 8018), a salt for each.

use std::num::NonZeroU32;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    pbkdf2,
    rand::{SecureRandom, SystemRandom},
};

/// A tenth of a second on a PC, half of one on a Raspberry Pi.
const ROUNDS: NonZeroU32 = NonZeroU32::new(200_000).unwrap();
/// What the text of a hash begins with.
const SCHEME: &str = "pbkdf2-sha256";
const SALT: usize = 16;
const HASH: usize = 32;
/// More rounds than this were not written here, and would hold up the server.
const MOST_ROUNDS: u32 = 10_000_000;

/// The hash to keep of a password. It takes a while.
///
/// # Errors
/// The system has no random numbers.
pub fn hash(password: &str) -> std::io::Result<String> {
    let mut salt = [0; SALT];
    let random = SystemRandom::new().fill(&mut salt);
    random.map_err(|_| std::io::Error::other("the system has no random numbers"))?;
    let mut hash = [0; HASH];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, password.as_bytes(), &mut hash);
    Ok(format!("{SCHEME}:{ROUNDS}:{}:{}", STANDARD.encode(salt), STANDARD.encode(hash)))
}

/// Whether a hash is that of this password. It takes a while.
pub fn is_of(hash: &str, password: &str) -> bool {
    let mut parts = hash.split(':');
    let (Some(SCHEME), Some(rounds), Some(salt), Some(hash)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let rounds = rounds.parse().ok().filter(|rounds: &NonZeroU32| rounds.get() <= MOST_ROUNDS);
    let (Some(rounds), Ok(salt), Ok(hash)) = (rounds, STANDARD.decode(salt), STANDARD.decode(hash))
    else {
        return false;
    };
    let password = password.as_bytes();
    pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password, &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_alone() {
        let (one, two) = (hash("correct horse").unwrap(), hash("correct horse").unwrap());
        assert_ne!(one, two, "each has a salt of its own");
        assert!(!one.contains("horse"));
        assert!(is_of(&one, "correct horse") && is_of(&two, "correct horse"));
        assert!(!is_of(&one, "correct horse ") && !is_of(&one, ""));
        let spoilt = one.replace(":200000:", ":4294967295:");
        for none in ["", "true", "correct horse", "pbkdf2-sha256:0::", &spoilt] {
            assert!(!is_of(none, "correct horse"), "{none}");
        }
    }
}
