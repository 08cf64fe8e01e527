//! What either end puts up with. The other end may be hung, or hostile: none of it may hang or fill
//! the daemon, and none of it a small guest.

use std::time::Duration;

/// What the daemon puts up with in one call.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// From the request to the end of the answer.
    pub(crate) time: Duration,
    /// Bytes of the answer.
    pub(crate) size: usize,
}

/// An answer that takes no work.
pub(crate) const CALL: Bounds = Bounds { time: Duration::from_secs(10), size: MESSAGE };
/// A program is started, or the guest's disks have a part in it.
pub(crate) const WORK: Bounds = Bounds { time: Duration::from_secs(60), size: MESSAGE };
/// How long the guest's kernel may take to find what was plugged.
pub(crate) const PLUGGED: Duration = Duration::from_secs(15);
/// Names in a folder: half a million, as many as a guest lists, are below it.
pub(crate) const LIST: Bounds = Bounds { time: Duration::from_secs(60), size: 128 << 20 };
/// How long a file on its way may stand still.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// How long the daemon waits before it says hello again; it doubles up to [`HELLO_AGAIN_AT_MOST`].
pub(crate) const HELLO_AGAIN: Duration = Duration::from_millis(100);
/// The longest wait between two hellos.
pub(crate) const HELLO_AGAIN_AT_MOST: Duration = Duration::from_secs(2);
/// Bytes of a line of the handshake.
pub(crate) const LINE: usize = 1024;

/// Bytes of a message that is read whole.
pub(crate) const MESSAGE: usize = 4 << 20;

/// Bytes of one frame, the smallest HTTP/2 allows: so much can be lost in one whose sender is gone.
pub(crate) const FRAME: u32 = 16 * 1024;
/// Bytes under way on one stream: enough for the speed of a serial port, few enough for many streams.
pub(crate) const STREAM: u32 = 256 * 1024;
/// Bytes under way on all of them: what a stream whose reader sleeps holds must not stop the others.
pub(crate) const CONNECTION: u32 = 16 << 20;
/// Streams at once: as many as the programs have, and some.
pub(crate) const STREAMS: u32 = 4 * PROGRAMS as u32 + 256;
/// Bytes of headers.
pub(crate) const HEADERS: u32 = 16 * 1024;
/// Bytes that are read from a program or a file at once.
pub(crate) const BLOCK: usize = 64 * 1024;
/// Signals and sizes of windows that wait to be sent to one program.
pub(crate) const CONTROLS: usize = 64;
/// Bytes of a file that are read or written at once by the daemon.
pub(crate) const SPOOL: usize = 1 << 20;
/// Bytes a guest's file must leave free on the daemon's disk, or a twentieth of it if that is less.
pub(crate) const ROOM: u64 = 1 << 30;
/// Bytes after which that is looked at again.
pub(crate) const LOOK_FOR_ROOM: usize = 32 << 20;
/// Accesses to files at once on one connection.
pub(crate) const FILES: usize = 64;
/// Programs at once on one connection.
pub(crate) const PROGRAMS: usize = 512;
