//! One query, judged and if possible answered.

use std::net::IpAddr;

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata},
};

use super::zone::{self, Place};
use crate::State;

/// Nothing here lasts: an instance may be gone, or its name taken anew, the next second.
const TTL: u32 = 0;
/// Largest UDP answer, whatever the client says it takes (DNS flag day 2020).
const MAX_UDP: u16 = 1232;
/// Largest without EDNS (RFC 1035, 4.2.1).
const MIN_UDP: u16 = 512;

/// What to do with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Send this back.
    Answer(Vec<u8>),
    /// Ask the host's resolvers.
    Forward,
    /// Say nothing.
    Ignore,
}

/// Judges a query as it came over UDP or TCP.
pub fn consider(state: &State, now: u64, bytes: &[u8], tcp: bool) -> Verdict {
    // A response (QR set) is never answered, so that two servers cannot talk for ever.
    if bytes.len() < 12 || bytes[2] & 0x80 != 0 {
        return Verdict::Ignore;
    }
    let Ok(query) = Message::from_vec(bytes) else {
        return refusal(bytes, ResponseCode::FormErr);
    };
    if query.metadata.op_code != OpCode::Query {
        return refusal(bytes, ResponseCode::NotImp);
    }
    let [question] = query.queries.as_slice() else {
        return refusal(bytes, ResponseCode::FormErr);
    };
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return finish(&query, blank(&query, ResponseCode::BADVERS), tcp);
    }
    if question.query_class() != DNSClass::IN {
        return refusal(bytes, ResponseCode::Refused);
    }
    match local(state, now, &query, question) {
        Some(reply) => finish(&query, reply, tcp),
        None => Verdict::Forward,
    }
}

/// A reply that says only what is wrong; made from the header alone.
pub(crate) fn refusal(bytes: &[u8], code: ResponseCode) -> Verdict {
    let Some([a, b, flags, ..]) = bytes.first_chunk::<12>() else { return Verdict::Ignore };
    let op_code = OpCode::from_u8(flags >> 3 & 15);
    let reply = Message::error_msg(u16::from_be_bytes([*a, *b]), op_code, code);
    reply.to_vec().map_or(Verdict::Ignore, Verdict::Answer)
}

fn local(state: &State, now: u64, query: &Message, question: &Query) -> Option<Message> {
    let name = question.name();
    let records = match zone::place(state, name) {
        Place::Elsewhere => return None,
        Place::Apex => Some(Vec::new()),
        Place::Nowhere => None,
        Place::Host(host) => zone::exists(state, &host, now)
            .then(|| hosts(name, question.query_type(), &zone::addresses(state, &host, now))),
        Place::Address(address) => {
            zone::name(state, address, now).map(|host| pointer(state, question, &host))
        }
    };
    let code = if records.is_some() { ResponseCode::NoError } else { ResponseCode::NXDomain };
    let mut reply = blank(query, code);
    reply.metadata.authoritative = true;
    reply.add_answers(records.unwrap_or_default());
    if reply.answers.is_empty() {
        reply.add_authority(authority(state)?);
    }
    Some(reply)
}

fn hosts(name: &Name, kind: RecordType, addresses: &[IpAddr]) -> Vec<Record> {
    let data = addresses.iter().filter_map(|address| match address {
        IpAddr::V4(v4) if matches!(kind, RecordType::A | RecordType::ANY) => {
            Some(RData::A(rdata::A(*v4)))
        }
        IpAddr::V6(v6) if matches!(kind, RecordType::AAAA | RecordType::ANY) => {
            Some(RData::AAAA(rdata::AAAA(*v6)))
        }
        _ => None,
    });
    data.map(|data| Record::from_rdata(name.clone(), TTL, data)).collect()
}

fn pointer(state: &State, question: &Query, host: &str) -> Vec<Record> {
    let full = format!("{host}.{}.", state.config.dns.domain);
    let wanted = matches!(question.query_type(), RecordType::PTR | RecordType::ANY);
    let target = Name::from_ascii(full).ok().filter(|_| wanted);
    let data = target.map(|target| RData::PTR(rdata::PTR(target)));
    data.map(|data| Record::from_rdata(question.name().clone(), TTL, data)).into_iter().collect()
}

/// The start of authority of the own domain, so that "no" is not cached for long (RFC 2308).
fn authority(state: &State) -> Option<Record> {
    let zone = Name::from_ascii(format!("{}.", state.config.dns.domain)).ok()?;
    let server = Name::from_ascii(format!("_gateway.{}.", state.config.dns.domain)).ok()?;
    let data = rdata::SOA::new(server.clone(), server, 1, 3600, 600, 86_400, TTL);
    Some(Record::from_rdata(zone, TTL, RData::SOA(data)))
}

fn blank(query: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.metadata.checking_disabled = query.metadata.checking_disabled;
    reply.metadata.response_code = code;
    reply.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP).set_rcode_high(code.high());
        reply.set_edns(edns);
    }
    reply
}

fn finish(query: &Message, reply: Message, tcp: bool) -> Verdict {
    let room =
        query.edns.as_ref().map_or(MIN_UDP, |edns| edns.max_payload().clamp(MIN_UDP, MAX_UDP));
    let Ok(bytes) = reply.to_vec() else {
        return Verdict::Ignore;
    };
    if tcp || bytes.len() <= usize::from(room) {
        return Verdict::Answer(bytes);
    }
    reply.truncate().to_vec().map_or(Verdict::Ignore, Verdict::Answer)
}
