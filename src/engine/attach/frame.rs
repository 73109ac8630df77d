//! Frames on a stream of bytes: a length of four bytes, the least significant first, a kind of one byte, then the body.
//!
//! What comes in is kept in a buffer of its own until it is whole, so that waiting for a frame may be given up at any time. A
//! length is held against the limit before anything is kept for it, and room grows with the bytes that come, never with those
//! that are only promised.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::engine::limits::HELLO_BYTES_MAX;

/// Bytes before a body.
const HEADER_BYTES: usize = 5;
/// Room made for what comes, at least; more only for as much again as has come.
const ROOM_BYTES: usize = 65_536;
/// A buffer that has grown beyond this is given back once it is empty.
const KEPT_BYTES_MAX: usize = 1_048_576;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the body is; `message` knows the numbers.
    pub kind: u8,
    /// What is said.
    pub body: Vec<u8>,
}

/// Why no frame came or went.
#[derive(Debug, thiserror::Error)]
pub enum FrameProblem {
    /// The stream.
    #[error("the connection failed: {0}")]
    Stream(#[from] io::Error),
    /// A body beyond the limit.
    #[error("a message of {bytes} bytes, where at most {max} are taken; the connection is closed")]
    TooLong {
        /// How long it says it is.
        bytes: u64,
        /// How long it may be.
        max: usize,
    },
    /// The end came within a frame or a line.
    #[error("the connection ended within a message, after {bytes} bytes of it")]
    CutShort {
        /// What had come of it.
        bytes: usize,
    },
    /// A first line beyond the limit.
    #[error("the first line has more than {HELLO_BYTES_MAX} bytes, so it is not one of a hypo")]
    NoLine,
}

/// What comes in.
#[derive(Debug)]
pub struct Incoming<R> {
    source: R,
    /// What has come; what is before `taken` was handed out.
    buffer: Vec<u8>,
    taken: usize,
    body_bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    /// Reads from `source` frames whose bodies have at most `body_bytes_max` bytes.
    pub fn new(source: R, body_bytes_max: usize) -> Self {
        Self { source, buffer: Vec::new(), taken: 0, body_bytes_max }
    }

    /// The next line without its end, as the greetings are; `None` where the stream ends before it. Bytes that are no text come
    /// as marks that stand for them. May be given up while it waits: nothing is lost.
    ///
    /// # Errors
    /// When the stream fails, ends within the line, or the line is too long to be a greeting.
    pub async fn line(&mut self) -> Result<Option<String>, FrameProblem> {
        loop {
            let ahead = self.ahead();
            if let Some(end) = ahead.iter().take(HELLO_BYTES_MAX).position(|byte| *byte == b'\n') {
                let line = ahead.get(..end).map(|line| String::from_utf8_lossy(line).into_owned());
                self.hand_out(end + 1);
                return Ok(line);
            }
            if ahead.len() >= HELLO_BYTES_MAX {
                return Err(FrameProblem::NoLine);
            }
            if !self.fill(HELLO_BYTES_MAX).await? {
                return Ok(None);
            }
        }
    }

    /// The next frame; `None` where the stream ends before it. May be given up while it waits: nothing is lost.
    ///
    /// # Errors
    /// When the stream fails, ends within a frame, or a frame is too long. After that nothing more can be read.
    pub async fn frame(&mut self) -> Result<Option<Frame>, FrameProblem> {
        loop {
            let ahead = self.ahead();
            let mut wanted = HEADER_BYTES;
            if let Some(([one, two, three, four, kind], rest)) = ahead.split_first_chunk::<HEADER_BYTES>() {
                let length = u32::from_le_bytes([*one, *two, *three, *four]);
                let bytes = usize::try_from(length).unwrap_or(usize::MAX);
                if bytes > self.body_bytes_max {
                    return Err(FrameProblem::TooLong { bytes: length.into(), max: self.body_bytes_max });
                }
                if let Some(body) = rest.get(..bytes) {
                    let frame = Frame { kind: *kind, body: body.to_vec() };
                    self.hand_out(HEADER_BYTES + bytes);
                    return Ok(Some(frame));
                }
                wanted = HEADER_BYTES + bytes;
            }
            if !self.fill(wanted).await? {
                return Ok(None);
            }
        }
    }

    /// Bytes that have come and were not handed out: they grow while a long frame is on its way.
    pub fn bytes_ahead(&self) -> usize {
        self.ahead().len()
    }

    /// What has come and was not handed out.
    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn hand_out(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= self.buffer.len() {
            self.taken = 0;
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_BYTES_MAX {
                self.buffer = Vec::new();
            }
        }
    }

    /// Waits for more of what is `wanted` bytes long; false at an end before any of it.
    async fn fill(&mut self, wanted: usize) -> Result<bool, FrameProblem> {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        let have = self.buffer.len();
        let room = wanted.saturating_sub(have).min(have.max(ROOM_BYTES));
        self.buffer.reserve(room);
        match self.source.read_buf(&mut self.buffer).await? {
            0 if have == 0 => Ok(false),
            0 => Err(FrameProblem::CutShort { bytes: have }),
            _ => Ok(true),
        }
    }
}

/// The bytes of a frame whose body has at most `body_bytes_max` bytes, in two parts that follow one another.
///
/// # Errors
/// When the body is too long.
pub fn parts(frame: &Frame, body_bytes_max: usize) -> Result<(Vec<u8>, &[u8]), FrameProblem> {
    let bytes = frame.body.len();
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= body_bytes_max);
    let too_long = || FrameProblem::TooLong { bytes: bytes.try_into().unwrap_or(u64::MAX), max: body_bytes_max };
    let length = length.ok_or_else(too_long)?;
    let mut start = Vec::with_capacity(HEADER_BYTES + bytes.min(ROOM_BYTES));
    start.extend(length.to_le_bytes());
    start.push(frame.kind);
    // Most frames are small, and go out as one; of others the body is not copied.
    let rest = if bytes <= ROOM_BYTES {
        start.extend_from_slice(&frame.body);
        &[][..]
    } else {
        &frame.body
    };
    Ok((start, rest))
}

/// Writes a frame whose body has at most `body_bytes_max` bytes. Not to be given up while it waits: half a frame spoils the
/// stream, which is to be closed then.
///
/// # Errors
/// When the body is too long, of which nothing is written then, or the stream fails.
pub async fn write(
    sink: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
    body_bytes_max: usize,
) -> Result<(), FrameProblem> {
    let (start, rest) = parts(frame, body_bytes_max)?;
    sink.write_all(&start).await?;
    sink.write_all(rest).await?;
    sink.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use proptest::prelude::*;
    use tokio::io::ReadBuf;

    use super::*;

    /// A stream that hands out its bytes in pieces, and says "not yet" before each.
    struct Pieces {
        bytes: Vec<u8>,
        sizes: Vec<usize>,
        at: usize,
        turn: usize,
        is_ready: bool,
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.is_ready = !self.is_ready;
            if !self.is_ready {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let size = self.sizes[self.turn % self.sizes.len()].min(into.remaining());
            self.turn += 1;
            let end = (self.at + size).min(self.bytes.len());
            into.put_slice(&self.bytes[self.at..end]);
            self.at = end;
            Poll::Ready(Ok(()))
        }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn written(frames: &[Frame], max: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        run(async {
            for frame in frames {
                write(&mut bytes, frame, max).await.unwrap();
            }
        });
        bytes
    }

    fn pieces(bytes: Vec<u8>, sizes: &[usize]) -> Pieces {
        Pieces { bytes, sizes: sizes.to_vec(), at: 0, turn: 0, is_ready: true }
    }

    /// Polls `work` once, and gives it up where it waits.
    fn once<T>(work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        match work.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_frame_is_a_length_a_kind_and_a_body() {
        assert_eq!(written(&[Frame { kind: 7, body: b"ab".to_vec() }], 2), [2, 0, 0, 0, 7, b'a', b'b']);
        let big = Frame { kind: 1, body: vec![5; 3 * ROOM_BYTES] };
        let bytes = written(std::slice::from_ref(&big), 3 * ROOM_BYTES);
        assert_eq!((bytes.len(), &bytes[..5]), (3 * ROOM_BYTES + 5, &[0, 0, 3, 0, 1][..]));
    }

    #[test]
    fn a_body_beyond_the_limit_is_neither_written_nor_waited_for() {
        let mut sink = Vec::new();
        let problem = run(write(&mut sink, &Frame { kind: 1, body: vec![0; 11] }, 10)).unwrap_err();
        assert!(sink.is_empty() && problem.to_string().contains("11 bytes, where at most 10"), "{problem}");
        // Four bytes that promise four gigabytes, and nothing after them.
        let mut incoming = Incoming::new(&[0xff, 0xff, 0xff, 0xff, 1][..], 10);
        assert!(matches!(run(incoming.frame()), Err(FrameProblem::TooLong { bytes: 0xffff_ffff, max: 10 })));
        assert!(incoming.buffer.capacity() <= 2 * ROOM_BYTES);
    }

    #[test]
    fn room_grows_with_what_comes_and_not_with_what_is_promised() {
        let promised = 200 * 1_048_576u32;
        let mut bytes = promised.to_le_bytes().to_vec();
        bytes.push(1);
        bytes.extend([0; 1_000]);
        let mut incoming = Incoming::new(&bytes[..], 256 * 1_048_576);
        assert!(matches!(run(incoming.frame()), Err(FrameProblem::CutShort { bytes: 1_005 })));
        assert!(incoming.buffer.capacity() <= 4 * ROOM_BYTES, "{}", incoming.buffer.capacity());
    }

    #[test]
    fn a_line_comes_before_frames_and_takes_none_of_them() {
        let mut bytes = b"hypo attach 1\n".to_vec();
        bytes.extend(written(&[Frame { kind: 3, body: b"x".to_vec() }], 9));
        let mut incoming = Incoming::new(pieces(bytes, &[64]), 9);
        run(async {
            assert_eq!(incoming.line().await.unwrap().as_deref(), Some("hypo attach 1"));
            assert_eq!(incoming.frame().await.unwrap(), Some(Frame { kind: 3, body: b"x".to_vec() }));
            assert!(incoming.frame().await.unwrap().is_none());
        });
        let long = vec![b'x'; HELLO_BYTES_MAX];
        assert!(matches!(run(Incoming::new(&long[..], 9).line()), Err(FrameProblem::NoLine)));
        assert!(matches!(run(Incoming::new(&b"hypo"[..], 9).line()), Err(FrameProblem::CutShort { bytes: 4 })));
        assert!(run(Incoming::new(&b""[..], 9).line()).unwrap().is_none());
        let longest = [vec![b'x'; HELLO_BYTES_MAX - 1], b"\n".to_vec()].concat();
        assert_eq!(run(Incoming::new(&longest[..], 9).line()).unwrap().unwrap().len(), HELLO_BYTES_MAX - 1);
        assert_eq!(run(Incoming::new(&b"a\xffb\n"[..], 9).line()).unwrap().unwrap(), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn frames_come_as_they_went_however_they_are_cut_and_given_up(
            bodies in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)), 0..12),
            sizes in prop::collection::vec(1usize..200, 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let frames: Vec<Frame> = bodies.into_iter().map(|(kind, body)| Frame { kind, body }).collect();
            let bytes = written(&frames, 300);
            // Each wait is given up, and begun again.
            let mut incoming = Incoming::new(pieces(bytes.clone(), &sizes), 300);
            let mut come = Vec::new();
            loop {
                match once(incoming.frame()) {
                    None => {}
                    Some(Ok(Some(frame))) => come.push(frame),
                    Some(Ok(None)) => break,
                    Some(Err(problem)) => prop_assert!(false, "{}", problem),
                }
            }
            prop_assert_eq!(&come, &frames);
            // A stream that ends early gives the frames before its end, and says where it was cut.
            let cut = cut.index(bytes.len() + 1);
            let mut incoming = Incoming::new(pieces(bytes[..cut].to_vec(), &sizes), 300);
            let (mut whole, mut length) = (0, 0);
            let end = loop {
                match run(incoming.frame()) {
                    Ok(Some(frame)) => {
                        prop_assert_eq!(&frame, &frames[whole]);
                        whole += 1;
                        length += HEADER_BYTES + frame.body.len();
                    }
                    Ok(None) => break None,
                    Err(problem) => break Some(problem),
                }
            };
            match end {
                None => prop_assert_eq!(length, cut),
                Some(FrameProblem::CutShort { bytes }) => prop_assert_eq!(length + bytes, cut),
                Some(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn whatever_comes_is_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut incoming = Incoming::new(&bytes[..], 64);
            let first = run(incoming.line());
            let is_of_two = matches!(first, Ok(Some(line)) if line.contains('\n'));
            prop_assert!(!is_of_two);
            while let Ok(Some(frame)) = run(incoming.frame()) {
                prop_assert!(frame.body.len() <= 64);
            }
        }
    }
}
