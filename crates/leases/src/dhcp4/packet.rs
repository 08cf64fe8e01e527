//! Reads a packet down to the options that matter here, each with a length that it can have.
//!
//! The codec takes lengths on trust in places (it asserts, or reads beyond the option), so what it
//! sees is chosen first: no option of a hostile guest that is not used can do harm.

use dhcproto::{Decodable, Decoder, v4::Message};

/// RFC 2131, 3: the options begin with this, after 236 octets.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const HEAD: usize = 240;
const PAD: u8 = 0;
const END: u8 = 255;

/// The message, unless it is none.
pub fn decode(bytes: &[u8]) -> Option<Message> {
    let (head, options) = bytes.split_at_checked(HEAD)?;
    // The hardware address length too: beyond its 16 octets the codec would read on.
    if head[236..] != COOKIE || head[2] > 16 {
        return None;
    }
    let mut clean = head.to_vec();
    for (code, value) in Options(options).filter(|(code, value)| used(*code, value)) {
        clean.extend([code, value.len() as u8]);
        clean.extend(value);
    }
    clean.push(END);
    Message::decode(&mut Decoder::new(&clean)).ok()
}

fn used(code: u8, value: &[u8]) -> bool {
    match code {
        12 => !value.is_empty() && value.is_ascii(),
        50 | 54 => value.len() == 4,
        53 => value.len() == 1,
        55 => !value.is_empty(),
        57 => value.len() == 2,
        61 => value.len() >= 2,
        _ => false,
    }
}

/// Code and value of every whole option.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        while let [PAD, rest @ ..] = self.0 {
            self.0 = rest;
        }
        let [code, length, rest @ ..] = self.0 else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *code != END)?;
        self.0 = rest;
        Some((*code, value))
    }
}
