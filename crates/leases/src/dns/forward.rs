//! Relays a query to the host's resolvers as it is, under an identifier of our own.
//!
//! Each try waits [`TRY`]; a server that fails or does not know (SERVFAIL, REFUSED) passes the query
//! on to the next, and after two rounds the client hears SERVFAIL. One fresh socket a try gives a
//! fresh random port, which an off-path forger would have to guess with the identifier.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_proto::op::ResponseCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout, timeout_at},
};

use super::{
    answer::{Verdict, refusal},
    resolv::Resolvers,
};

/// One try of one server.
const TRY: Duration = Duration::from_secs(2);
/// All tries together; a stub resolver gives up after five seconds.
const WHOLE: Duration = Duration::from_millis(4500);
const ROUNDS: usize = 2;
/// Replies over UDP are shorter: resolvers stop at 4096 octets, most at 1232.
const MAX_REPLY: usize = 8192;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;

/// The answer for the client; nothing if the query cannot even be refused.
pub(crate) async fn relay(
    resolvers: &Resolvers,
    own: &[IpAddr],
    query: &[u8],
    tcp: bool,
) -> Option<Vec<u8>> {
    let servers = resolvers.servers(own);
    let reply = timeout(WHOLE, ask_all(resolvers, &servers, query, tcp)).await.ok().flatten();
    if reply.is_some() {
        return reply;
    }
    match refusal(query, ResponseCode::ServFail) {
        Verdict::Answer(bytes) => Some(bytes),
        _ => None,
    }
}

async fn ask_all(
    resolvers: &Resolvers,
    servers: &[SocketAddr],
    query: &[u8],
    tcp: bool,
) -> Option<Vec<u8>> {
    let mut last = None;
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match timeout(TRY, ask(*server, query, tcp)).await {
            Ok(Ok(reply)) if [SERVFAIL, REFUSED].contains(&(reply[3] & 15)) => last = Some(reply),
            Ok(Ok(reply)) => {
                resolvers.answered(*server);
                return Some(reply);
            }
            Ok(Err(error)) => tracing::debug!(%server, %error, "resolver did not answer"),
            Err(_) => tracing::debug!(%server, "resolver did not answer in time"),
        }
    }
    last
}

async fn ask(server: SocketAddr, query: &[u8], tcp: bool) -> io::Result<Vec<u8>> {
    let id = random_id();
    let mut sent = query.to_vec();
    sent[..2].copy_from_slice(&id);
    let mut reply =
        if tcp { over_tcp(server, &sent).await } else { over_udp(server, &sent).await }?;
    reply[..2].copy_from_slice(&query[..2]);
    Ok(reply)
}

async fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = if server.is_ipv6() {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; MAX_REPLY];
    let until = Instant::now() + TRY;
    loop {
        let length = timeout_at(until, socket.recv(&mut buffer)).await??;
        if length < MAX_REPLY && matches(query, &buffer[..length]) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write_framed(&mut stream, query).await?;
    let reply = read_framed(&mut stream).await?;
    if matches(query, &reply) { Ok(reply) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// A message with its length before it (RFC 1035, 4.2.2).
pub(crate) async fn read_framed(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

pub(crate) async fn write_framed(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await
}

/// Whether this is a response to that query: identifier, response bit, and the same question. Some
/// servers leave the question out of errors.
fn matches(query: &[u8], reply: &[u8]) -> bool {
    if reply.len() < 12 || reply[..2] != query[..2] || reply[2] & 0x80 == 0 {
        return false;
    }
    let counts = |bytes: &[u8]| u16::from_be_bytes([bytes[4], bytes[5]]);
    if counts(reply) == 0 {
        return reply[3] & 15 != 0;
    }
    let Some(end) = question_end(query) else { return false };
    let (asked, told) = (&query[12..end], reply.get(12..end));
    counts(reply) == 1 && told.is_some_and(|told| told.eq_ignore_ascii_case(asked))
}

/// Where the first question ends: labels, type, class. A question is never compressed.
fn question_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 12;
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 5).filter(|end| *end <= bytes.len()),
            length @ 1..=63 => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// Two bytes nobody outside can guess: the standard library keys its hasher from the kernel.
fn random_id() -> [u8; 2] {
    use std::hash::{BuildHasher, RandomState};
    let hash = RandomState::new().hash_one(Instant::now());
    [hash as u8, (hash >> 8) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> Vec<u8> {
        let mut bytes = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(b"\x01a\x03lan\0\0\x01\0\x01");
        bytes
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let mut reply = query();
        reply[2] |= 0x80;
        assert!(matches(&query(), &reply));
        reply[13] = b'A';
        assert!(matches(&query(), &reply), "case may differ");
        reply[13] = b'b';
        assert!(!matches(&query(), &reply), "another name");
        assert!(!matches(&query(), &query()), "a query is no answer");
        reply[13] = b'a';
        reply[0] = 9;
        assert!(!matches(&query(), &reply), "another identifier");
        assert!(!matches(&query(), &[1, 2, 0x80]));
    }

    #[test]
    fn torn_questions_do_not_panic() {
        let whole = query();
        for length in 12..whole.len() {
            assert_eq!(question_end(&whole[..length]), None);
        }
        assert_eq!(question_end(&whole), Some(whole.len()));
    }
}
