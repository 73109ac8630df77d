//! What a process writes: lines without secrets, told as they come, bounded at both ends, with a digest over all of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

use super::Attempt;
use crate::engine::ingest::normalize::sanitize;
use crate::engine::input::StepProgress;
use crate::engine::limits::{STEP_OUTPUT_BYTES_MAX, STEP_OUTPUT_LINE_BYTES_MAX, STEP_OUTPUT_LINES_MAX};
use crate::engine::redact::LineRedactor;

/// Last lines that are kept for whoever started it.
const LAST_LINES_MAX: usize = 400;

/// Lines of a pipe with how many bytes they were.
pub(super) struct Batch {
    lines: Vec<Arc<str>>,
    bytes: u64,
}

/// Reads a pipe to its end, line by line; what is past a line's limit is read and dropped. Lines with a mark are words
/// for us, and go where words go. Lines that came to their end are counted.
pub(super) async fn read_lines(
    pipe: impl AsyncRead + Unpin,
    batches: mpsc::Sender<Batch>,
    words: Option<(String, mpsc::Sender<String>)>,
    whole_lines: Arc<AtomicU64>,
) {
    let mut pipe = BufReader::new(pipe);
    let mut reading = Reading::default();
    while let Ok(chunk) = pipe.fill_buf().await {
        let length = chunk.len();
        let mut batch = Batch { lines: Vec::new(), bytes: length as u64 };
        let mut said = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            reading.take(text);
            if is_whole {
                whole_lines.fetch_add(1, Ordering::AcqRel);
                reading.finish(&mut batch.lines, &mut said, words.as_ref().map(|(mark, _)| mark.as_str()));
            }
        }
        if length == 0 && !reading.line.is_empty() {
            reading.finish(&mut batch.lines, &mut said, words.as_ref().map(|(mark, _)| mark.as_str()));
        }
        pipe.consume(length);
        if let Some((_, words)) = &words {
            for word in said {
                let _nobody_listens = words.send(word).await;
            }
        }
        if batches.send(batch).await.is_err() || length == 0 {
            break;
        }
    }
}

/// A line as far as it has been read.
#[derive(Default)]
struct Reading {
    line: Vec<u8>,
    left_out: usize,
    redactor: LineRedactor,
}

impl Reading {
    fn take(&mut self, text: &[u8]) {
        // Twice the limit, so that a secret that begins before the limit is known for one.
        let room = (STEP_OUTPUT_LINE_BYTES_MAX * 2).saturating_sub(self.line.len());
        self.line.extend_from_slice(&text[..text.len().min(room)]);
        self.left_out += text.len().saturating_sub(room);
    }

    fn finish(&mut self, lines: &mut Vec<Arc<str>>, words: &mut Vec<String>, mark: Option<&str>) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes));
        let left_out = std::mem::take(&mut self.left_out);
        if let Some(word) = mark.and_then(|mark| text.strip_prefix(mark)) {
            words.push(word.trim().to_owned());
            return;
        }
        // A word of the far end comes on a line of its own, whatever stood before it.
        if mark.is_some() && text.is_empty() {
            return;
        }
        let shown = sanitize(&self.redactor.line(&text), STEP_OUTPUT_LINE_BYTES_MAX);
        lines.push(if left_out == 0 { shown } else { format!("{shown} …⟨+{left_out} bytes⟩").into() });
    }
}

/// Tells lines as they come, up to what is kept; of more than that the last ones, once the process has ended. Gives the
/// last lines back.
pub(super) async fn tell_output(attempt: &Attempt, mut received: mpsc::Receiver<Batch>) -> Vec<Arc<str>> {
    let mut output = Output::default();
    while let Some(batch) = received.recv().await {
        let now = output.take(batch);
        if !now.is_empty() {
            attempt.tell(StepProgress::Output(now)).await;
        }
    }
    if output.dropped_count > 0 {
        output.late.push_front(format!("… {} lines left out …", output.dropped_count).into());
    }
    if !output.late.is_empty() {
        attempt.tell(StepProgress::Output(output.late.into())).await;
    }
    if output.bytes > 0 {
        let digest = output.digest.finalize();
        let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        attempt.tell(StepProgress::Digest { sha256: sha256.into(), bytes: output.bytes }).await;
    }
    output.last.into()
}

/// What has come of a process's output so far.
#[derive(Default)]
struct Output {
    told_lines: usize,
    told_bytes: usize,
    late: VecDeque<Arc<str>>,
    late_bytes: usize,
    dropped_count: u64,
    last: VecDeque<Arc<str>>,
    bytes: u64,
    digest: Sha256,
}

impl Output {
    /// Takes lines in, and gives back those that are told at once.
    fn take(&mut self, batch: Batch) -> Vec<Arc<str>> {
        self.bytes += batch.bytes;
        let mut now = Vec::new();
        for line in batch.lines {
            self.digest.update(line.as_bytes());
            self.digest.update(b"\n");
            self.last.push_back(Arc::clone(&line));
            if self.last.len() > LAST_LINES_MAX {
                self.last.pop_front();
            }
            let has_room = self.late.is_empty()
                && self.told_lines < STEP_OUTPUT_LINES_MAX
                && self.told_bytes + line.len() <= STEP_OUTPUT_BYTES_MAX;
            if has_room {
                self.told_lines += 1;
                self.told_bytes += line.len() + 1;
                now.push(line);
                continue;
            }
            self.late_bytes += line.len() + 1;
            self.late.push_back(line);
            while self.late.len() > STEP_OUTPUT_LINES_MAX / 2 || self.late_bytes > STEP_OUTPUT_BYTES_MAX {
                let Some(dropped) = self.late.pop_front() else { break };
                self.late_bytes -= dropped.len() + 1;
                self.dropped_count += 1;
            }
        }
        now
    }
}
