//! The way to a console: what is said goes in full, or its line is let go of.

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
        let written = async {
            self.sink.write_all(line.as_bytes()).await?;
            self.sink.flush().await
        };
        in_time(async { written.await.map_err(FrameProblem::from) }).await
    }

    /// Says something in a frame.
    pub(super) async fn say(&mut self, message: &FromEngine) -> Result<(), Parting> {
        let frame = message.frame()?;
        in_time(frame::write(&mut self.sink, &frame, FRAME_OUT_BYTES_MAX)).await
    }
}

async fn in_time(writing: impl Future<Output = Result<(), FrameProblem>>) -> Result<(), Parting> {
    let written = timeout(Duration::from_millis(WRITE_STALL_MS_MAX), writing).await;
    Ok(written.map_err(|_| Parting::Stalled)??)
}
