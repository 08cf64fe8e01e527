//! Who of the others is there, as far as it is known without asking: kept in memory alone.
//!
//! ```text
//! there ── does not answer in time ──> silent: nobody waits for it ── any sign of life ──> there
//!                                        └── asked in the background, after 1 s, then every 5 s
//! ```
//! A sign of life is an answer, a request, or a word of its database.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use client::Client;
use store::MemberId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::{Pulse, endpoints::cluster::ClusterPing, query::NoQuery};

use super::links::{Links, Place};
use crate::{Error, Result};

/// How long a member may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before one that is silent is asked again: it may only have been slow.
const FIRST: Duration = Duration::from_secs(1);
/// Before it is asked once more. Who comes back says so itself, so this is only for a cable that was out.
const AGAIN: Duration = Duration::from_secs(5);

/// What is known of each member.
#[derive(Debug, Default)]
pub(super) struct Lives(Mutex<BTreeMap<MemberId, Life>>);

#[derive(Debug, Default)]
struct Life {
    /// When its database spoke last.
    spoke: Option<Instant>,
    /// Since when it does not answer.
    silent: Option<Instant>,
}

impl Lives {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MemberId, Life>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, member: MemberId) {
        self.lock().entry(member).or_default().silent = None;
    }

    fn spoke(&self, member: MemberId) {
        self.lock().insert(member, Life { spoke: Some(Instant::now()), silent: None });
    }

    /// Whether it was not silent before.
    fn missed(&self, member: MemberId) -> bool {
        let mut lives = self.lock();
        let life = lives.entry(member).or_default();
        let first = life.silent.is_none();
        life.silent.get_or_insert_with(Instant::now);
        first
    }

    fn silent(&self, member: MemberId) -> Option<Duration> {
        self.lock().get(&member)?.silent.map(|since| since.elapsed())
    }

    fn forget(&self, member: MemberId) {
        self.lock().remove(&member);
    }

    fn spoke_within(&self, member: MemberId, time: Duration) -> bool {
        let spoke = self.lock().get(&member).and_then(|life| life.spoke);
        spoke.is_some_and(|at| at.elapsed() < time)
    }

    fn last(&self) -> Option<Instant> {
        self.lock().values().filter_map(|life| life.spoke).max()
    }
}

impl Links {
    /// A member gave a sign of life.
    pub fn heard(&self, member: MemberId) {
        self.lives.heard(member);
    }

    /// A member did not answer in time. Nobody waits for it until it gives a sign of life.
    pub fn missed(self: &Arc<Self>, member: MemberId) {
        if self.lives.missed(member) {
            tokio::spawn(probe(self.clone(), member));
        }
    }

    /// Whether a member did not answer, and gave no sign of life since.
    pub fn is_silent(&self, member: MemberId) -> bool {
        self.lives.silent(member).is_some()
    }

    /// For how long a member does not answer; nothing if it does, as far as is known.
    pub(super) fn silent_for(&self, member: MemberId) -> Option<Duration> {
        self.lives.silent(member)
    }

    /// When the database of any of the others spoke to this one last.
    pub(super) fn last_spoke(&self) -> Option<Instant> {
        self.lives.last()
    }

    /// Whether a member's database spoke to this one within that time.
    pub(super) fn spoke_within(&self, member: MemberId, time: Duration) -> bool {
        self.lives.spoke_within(member, time)
    }

    /// What a member's database says over this stream is a sign of life.
    pub fn noting<S>(&self, member: MemberId, stream: S) -> Noting<S> {
        Noting { stream, member, lives: self.lives.clone() }
    }

    /// Asks a member whether it is there, and how busy.
    pub(super) async fn ask(&self, place: &Place) -> Result<Pulse> {
        let silent = || Error::Silent { member: place.name.clone() };
        let client = Client::remote(self.network(place).ok_or_else(silent)?);
        let asked = client.get::<ClusterPing>(&[], &NoQuery {});
        let pulse = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| silent())??;
        self.heard(place.id);
        Ok(pulse)
    }
}

/// Asks a member that is silent until it is not, or is no member any more.
async fn probe(links: Arc<Links>, member: MemberId) {
    let mut pause = FIRST;
    while links.is_silent(member) {
        tokio::time::sleep(pause).await;
        let Some(place) = links.by_id(member) else { return links.lives.forget(member) };
        if links.is_silent(member) && links.ask(&place).await.is_ok() {
            return;
        }
        pause = AGAIN;
    }
}

/// A stream from a member's database, whose words are signs of life.
#[derive(Debug)]
pub struct Noting<S> {
    stream: S,
    member: MemberId,
    lives: Arc<Lives>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.lives.spoke(self.member);
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn any_word_of_a_member_is_a_sign_of_life() {
        let links = Links::default();
        assert!(!links.is_silent(2) && links.last_spoke().is_none());
        assert!(links.lives.missed(2) && !links.lives.missed(2));
        assert!(links.is_silent(2) && !links.is_silent(3));
        let (here, mut far) = tokio::io::duplex(8);
        let mut here = links.noting(2, here);
        here.write_all(b"are").await.unwrap();
        assert!(links.is_silent(2), "what we say is none of its signs");
        far.write_all(b"you").await.unwrap();
        assert_eq!(here.read_u8().await.unwrap(), b'y');
        assert!(!links.is_silent(2) && links.last_spoke().is_some());
    }
}
