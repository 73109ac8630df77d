//! The way to a console: what is said goes in full and in its order, or its line is let go of. It is written between other things, so that a
//! console is heard while a long picture is on its way to it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::{Instant, timeout_at};

use super::connection::Parting;
use super::frame::{self, FrameProblem};
use super::message::FromEngine;
use crate::engine::limits::{FRAME_OUT_BYTES_MAX, WRITE_STALL_MS_MAX};

/// The way to a console.
pub(super) struct Outgoing {
    sink: OwnedWriteHalf,
    /// What is to be written, in this order.
    waiting: VecDeque<Vec<u8>>,
    /// Bytes of the first of them that are written.
    written: usize,
    /// When something was written last, or began to wait.
    progress_at: Instant,
}

impl Outgoing {
    /// By this half of a socket.
    pub(super) fn new(sink: OwnedWriteHalf) -> Self {
        Self { sink, waiting: VecDeque::new(), written: 0, progress_at: Instant::now() }
    }

    /// How much waits to be written, in pieces.
    pub(super) fn count(&self) -> usize {
        self.waiting.len()
    }

    /// Says a line, or some of them, and waits until it is written.
    pub(super) async fn line(&mut self, line: &str) -> Result<(), Parting> {
        self.push(line.as_bytes().to_vec());
        self.drain().await
    }

    /// Says something in a frame, once what was said before is written.
    pub(super) fn say(&mut self, message: &FromEngine) -> Result<(), Parting> {
        let frame = message.frame()?;
        let (start, rest) = frame::parts(&frame, FRAME_OUT_BYTES_MAX)?;
        let is_in_two = !rest.is_empty();
        self.push(start);
        if is_in_two {
            self.push(frame.body);
        }
        Ok(())
    }

    fn push(&mut self, bytes: Vec<u8>) {
        if self.waiting.is_empty() {
            self.progress_at = Instant::now();
        }
        self.waiting.push_back(bytes);
    }

    /// Waits until all of it is written.
    pub(super) async fn drain(&mut self) -> Result<(), Parting> {
        while !self.waiting.is_empty() {
            self.write_some().await?;
        }
        Ok(())
    }

    /// Writes a piece of what waits, however long all of it takes where the console reads on. May be given up while it waits: nothing is
    /// written then.
    pub(super) async fn write_some(&mut self) -> Result<(), Parting> {
        let Some(first) = self.waiting.front() else { return Ok(()) };
        let rest = first.get(self.written..).unwrap_or_default();
        let until = self.progress_at + Duration::from_millis(WRITE_STALL_MS_MAX);
        let written = timeout_at(until, self.sink.write(rest)).await;
        match written.map_err(|_| Parting::Stalled)?.map_err(FrameProblem::from)? {
            0 => return Err(FrameProblem::from(io::Error::from(ErrorKind::WriteZero)).into()),
            count => self.written += count,
        }
        self.progress_at = Instant::now();
        if self.written >= first.len() {
            self.waiting.pop_front();
            self.written = 0;
        }
        Ok(())
    }
}
