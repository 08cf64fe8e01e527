//! The memory of a machine that runs, on its way to another server: never much of it at a time.
//!
//! What lies in pipes, websockets and the network when the guest stands still must all arrive before it goes on, so
//! it is time that the guest stands still. The target answers each message once its QEMU took it; the source
//! is ahead of that by a window at most. It grows while answers come as soon as the network lets them, and
//! shrinks when they come later, as then something queues.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use tasks::{Message, Socket};

use crate::instances::streams::Stream;

/// Bytes under way at most, at first.
const START: usize = 512 << 10;
/// As few as that are always: two milliseconds of a gigabit.
const LEAST: usize = 256 << 10;
/// As many as that never are: a gigabit with 30 milliseconds there and back.
const MOST: usize = 4 << 20;
/// How much later than the soonest an answer may come.
const QUEUE: Duration = Duration::from_millis(5);

/// Sends what a pipe has to the end, and waits until the other end lets go: what is under way is still to arrive.
pub(super) async fn send(stream: &Stream, socket: Socket) {
    let Socket { mut incoming, outgoing } = socket;
    let (mut window, mut buffer) = (Window::default(), BytesMut::new());
    loop {
        tokio::select! {
            biased;
            taken = incoming.recv() => match taken {
                Some(Message::Binary(_)) => window.taken(Instant::now()),
                _ => return,
            },
            read = stream.read(&mut buffer), if window.has_room() => match read {
                Ok(bytes) if !bytes.is_empty() => {
                    window.sent(bytes.len(), Instant::now());
                    if outgoing.send(Message::Binary(bytes)).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
        }
    }
    if outgoing.send(Message::Close).await.is_ok() {
        while incoming.recv().await.is_some() {}
    }
}

/// Writes all that comes into a pipe, and says so.
pub(super) async fn receive(stream: &Stream, socket: Socket) {
    let Socket { mut incoming, outgoing } = socket;
    while let Some(Message::Binary(bytes)) = incoming.recv().await {
        if stream.write(&bytes).await.is_err() {
            return;
        }
        // One that is gone hears no more.
        let _ = outgoing.send(Message::Binary(Bytes::from_static(b"+"))).await;
    }
}

/// What is under way.
struct Window {
    limit: usize,
    ahead: usize,
    messages: VecDeque<(Instant, usize)>,
    soonest: Duration,
}

impl Default for Window {
    fn default() -> Window {
        Window { limit: START, ahead: 0, messages: VecDeque::new(), soonest: Duration::MAX }
    }
}

impl Window {
    fn has_room(&self) -> bool {
        self.ahead < self.limit
    }

    fn sent(&mut self, bytes: usize, now: Instant) {
        self.ahead += bytes;
        self.messages.push_back((now, bytes));
    }

    /// The oldest was taken. Who answers without having been sent something changes nothing.
    fn taken(&mut self, now: Instant) {
        let Some((sent, bytes)) = self.messages.pop_front() else { return };
        self.ahead -= bytes;
        let took = now - sent;
        self.soonest = self.soonest.min(took);
        self.limit = match took <= self.soonest + QUEUE {
            true => self.limit + bytes / 2,
            false => self.limit.saturating_sub(bytes / 2),
        }
        .clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 << 10;

    /// A wire that lets through so many bytes a millisecond after a delay: how much was sent in a second, and how
    /// long, at its end, what was under way took to arrive.
    fn over(rate: usize, delay: Duration) -> (usize, Duration) {
        let (start, millisecond) = (Instant::now(), Duration::from_millis(1));
        let (mut window, mut on_wire, mut back) =
            (Window::default(), VecDeque::new(), VecDeque::new());
        let (mut through, mut budget) = (0, 0);
        for now in (0..1000).map(|tick| start + tick * millisecond) {
            while back.front().is_some_and(|at: &Instant| *at <= now) {
                back.pop_front();
                window.taken(now);
            }
            while window.has_room() {
                window.sent(PIECE, now);
                on_wire.push_back(PIECE);
            }
            budget = (budget + rate).min(rate + PIECE);
            while on_wire.front().is_some_and(|piece| *piece <= budget) {
                budget -= PIECE;
                through += PIECE;
                on_wire.pop_front();
                back.push_back(now + delay);
            }
        }
        (through, delay + millisecond * u32::try_from(window.ahead / rate).unwrap())
    }

    #[test]
    fn a_wire_is_full_and_nothing_queues_for_long() {
        let millis = Duration::from_millis;
        // A gigabit, 100 megabits, 10 gigabits; nearby and far away.
        for (rate, delay) in
            [(125_000, 1), (12_500, 1), (1_250_000, 1), (125_000, 20), (12_500, 20)]
        {
            let (through, left) = over(rate, millis(delay));
            assert!(through > rate * 1000 * 8 / 10, "{rate} {delay}: {through}");
            assert!(left < millis(2 * delay + 30), "{rate} {delay}: {left:?}");
        }
    }

    #[test]
    fn who_answers_too_much_gains_nothing() {
        let mut window = Window::default();
        window.taken(Instant::now());
        assert_eq!((window.limit, window.ahead), (START, 0));
    }
}
