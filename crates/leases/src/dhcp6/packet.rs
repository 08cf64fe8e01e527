//! Reads a packet down to the options that matter here, so that the codec sees nothing a hostile
//! guest can pile up: unknown options, or associations inside associations.

use dhcproto::{Decodable, Decoder, v6::Message};

const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_ADDR: u16 = 5;
const RAPID_COMMIT: u16 = 14;
/// Association id and two times before its options.
const IA_HEAD: usize = 12;
/// Address and two times before its options.
const ADDR_HEAD: usize = 24;

/// The message, unless it is none.
pub fn decode(bytes: &[u8]) -> Option<Message> {
    let (head, options) = bytes.split_at_checked(4)?;
    let mut clean = head.to_vec();
    for (code, value) in Options(options) {
        match code {
            CLIENT_ID | SERVER_ID => put(&mut clean, code, value),
            IA_NA => put(&mut clean, code, &association(value)?),
            RAPID_COMMIT if value.is_empty() => put(&mut clean, code, value),
            _ => {}
        }
    }
    Message::decode(&mut Decoder::new(&clean)).ok()
}

fn association(value: &[u8]) -> Option<Vec<u8>> {
    let (head, options) = value.split_at_checked(IA_HEAD)?;
    let mut clean = head.to_vec();
    for (_, address) in Options(options).filter(|(code, _)| *code == IA_ADDR) {
        put(&mut clean, IA_ADDR, address.get(..ADDR_HEAD)?);
    }
    Some(clean)
}

fn put(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
}

/// Code and value of every whole option.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let (code, rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        self.0 = rest;
        Some((u16::from_be_bytes(*code), value))
    }
}
