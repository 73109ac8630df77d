//! The way to a console: what is said goes in full, or its line is let go of.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::timeout;

use super::connection::Parting;
use super::frame::{self, FrameProblem};
use super::message::FromEngine;
use crate::engine::limits::{FRAME_OUT_BYTES_MAX, WRITE_STALL_MS_MAX};

/// The way to a console.
pub(super) struct Outgoing {
    sink: OwnedWriteHalf,
}

impl Outgoing {
    /// By this half of a socket.
    pub(super) fn new(sink: OwnedWriteHalf) -> Self {
        Self { sink }
    }

    /// Says a line, or some of them.
    pub(super) async fn line(&mut self, line: &str) -> Result<(), Parting> {
        self.write(line.as_bytes()).await
    }

    /// Says something in a frame.
    pub(super) async fn say(&mut self, message: &FromEngine) -> Result<(), Parting> {
        let frame = message.frame()?;
        let (start, rest) = frame::parts(&frame, FRAME_OUT_BYTES_MAX)?;
        self.write(&start).await?;
        self.write(rest).await
    }

    /// Writes all of it, however long that takes where the console reads on: each piece has the time.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Parting> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = timeout(Duration::from_millis(WRITE_STALL_MS_MAX), self.sink.write(rest)).await;
            match written.map_err(|_| Parting::Stalled)?.map_err(FrameProblem::from)? {
                0 => return Err(FrameProblem::from(io::Error::from(ErrorKind::WriteZero)).into()),
                count => rest = rest.get(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}
