//! Runs a recording through the core on its own clock: at once, or paced for people to watch.
//!
//! Nothing is executed: what running steps said is in the recording. The same recording gives the same picture, bit for
//! bit, because the core sees nothing else.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::ask_desk;
use super::recorder::{RECORDING_VERSION, RECORDING_VERSION_MIN, RecordingLine};
use crate::engine::clock::Timestamp;
use crate::engine::handle::{EngineHandle, Envelope, HandleEnds};
use crate::engine::input::{Input, TimedInput};
use crate::engine::limits::PAST_EVERY_MS;
use crate::engine::model::PastValues;
use crate::engine::pipeline::{Engine, EngineError};
use crate::engine::runbooks::Library;
use crate::engine::settings::EngineSettings;
use crate::engine::snapshot::{Replaying, Snapshot};
use crate::engine::store::PastStore;

/// Why a recording could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file.
    #[error("cannot read the recording {path}: {problem}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// A line.
    #[error("{path}, line {line}: {problem}; this is no recording made by `hypo record`, or it was cut off")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Its settings.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A recording, opened: an engine in the state in which the recording began, and the inputs.
pub struct Replay {
    path: PathBuf,
    lines: std::iter::Enumerate<std::io::Lines<BufReader<File>>>,
    engine: Engine,
    first: Option<TimedInput>,
}

/// What came of a whole replay.
pub struct Replayed {
    /// The picture after the last input.
    pub snapshot: Arc<Snapshot>,
    /// Inputs taken.
    pub input_count: u64,
    /// `now` of the first and of the last input.
    pub span: (Timestamp, Timestamp),
}

impl Replay {
    /// Opens a recording and reads what the engine knew when it began.
    ///
    /// # Errors
    /// When the file cannot be read or is no recording.
    pub fn open(path: &Path, library: Library) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(|problem| ReplayError::File { path: path.to_owned(), problem })?;
        let mut lines = BufReader::new(file).lines().enumerate();
        let mut settings = EngineSettings::default();
        let mut known = Vec::new();
        let mut has_header = false;
        let mut first = None;
        while let Some(line) = next_line(&mut lines, path)? {
            match line {
                RecordingLine::HypocenterRecording(RECORDING_VERSION_MIN..=RECORDING_VERSION) => has_header = true,
                RecordingLine::HypocenterRecording(version) => {
                    let problem =
                        format!("version {version} of the format; this program reads up to {RECORDING_VERSION}");
                    return Err(ReplayError::Line { path: path.to_owned(), line: 1, problem });
                }
                RecordingLine::Settings(told) => settings = *told,
                RecordingLine::Known(record) => known.push(*record),
                RecordingLine::Input(input) => {
                    first = Some(*input);
                    break;
                }
            }
        }
        if !has_header {
            let problem = "the first line does not say `hypocenter_recording`".to_owned();
            return Err(ReplayError::Line { path: path.to_owned(), line: 1, problem });
        }
        let mut engine = Engine::new(settings, library)?;
        let start = first.as_ref().map_or(Timestamp(0), |input| input.now);
        engine.restore(known, start);
        Ok(Self { path: path.to_owned(), lines, engine, first })
    }

    fn next_input(&mut self) -> Result<Option<TimedInput>, ReplayError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        while let Some(line) = next_line(&mut self.lines, &self.path)? {
            if let RecordingLine::Input(input) = line {
                return Ok(Some(*input));
            }
        }
        Ok(None)
    }

    /// Runs it to its end, as fast as it goes.
    ///
    /// # Errors
    /// When a line cannot be read.
    pub fn run(mut self) -> Result<Replayed, ReplayError> {
        let mut input_count = 0;
        let mut span = None;
        while let Some(TimedInput { now, input }) = self.next_input()? {
            self.engine.handle(input, now);
            input_count += 1;
            span = Some((span.map_or(now, |(start, _)| start), now));
        }
        let span = span.unwrap_or_default();
        Ok(Replayed { snapshot: self.engine.snapshot(span.1), input_count, span })
    }

    /// Runs it on a thread of its own at `speed` times its own pace, for the console to watch. It takes no requests.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start_paced(mut self, speed: f64) -> std::io::Result<EngineHandle> {
        let start = self.first.as_ref().map_or(Timestamp(0), |input| input.now);
        let first = self.picture(start, speed, false);
        let (handle, HandleEnds { mut requests, questions, snapshots, .. }) = EngineHandle::pair(first);
        let (values, newest_values) = watch::channel(Arc::new(PastValues::default()));
        ask_desk::spawn(questions, handle.snapshots(), newest_values, PastStore::default(), None)?;
        thread::Builder::new().name("hypo-replay".to_owned()).spawn(move || {
            let (mut last, mut values_at) = (start, Timestamp(0));
            loop {
                refuse_requests(&mut requests);
                match self.next_input() {
                    Ok(Some(TimedInput { now, input })) => {
                        pause_for(now.since_ms(last), speed);
                        last = now;
                        let is_tick = input == Input::Tick;
                        self.engine.handle(input, now);
                        if is_tick && now.since_ms(values_at) >= PAST_EVERY_MS {
                            values_at = now;
                            values.send_replace(Arc::new(self.engine.past_values()));
                        }
                        if is_tick && self.engine.has_changed() {
                            snapshots.send_replace(self.picture(now, speed, false));
                        }
                    }
                    Ok(None) => break,
                    Err(problem) => {
                        tracing::error!("{problem}");
                        break;
                    }
                }
                if snapshots.is_closed() {
                    return;
                }
            }
            snapshots.send_replace(self.picture(last, speed, true));
            values.send_replace(Arc::new(self.engine.past_values()));
            // The last picture stays up, and requests are refused, until the console has gone.
            while let Some(envelope) = requests.blocking_recv() {
                refuse(envelope);
            }
        })?;
        Ok(handle)
    }

    /// A picture that says that it is of a recording.
    fn picture(&mut self, now: Timestamp, speed: f64, is_over: bool) -> Arc<Snapshot> {
        let mut snapshot = self.engine.snapshot(now);
        Arc::make_mut(&mut snapshot).replay = Some(Replaying { speed, is_over });
        snapshot
    }
}

fn pause_for(recorded_ms: i64, speed: f64) {
    let seconds = recorded_ms.max(0) as f64 / 1_000.0 / speed.max(0.001);
    thread::sleep(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO));
}

fn refuse_requests(requests: &mut mpsc::Receiver<Envelope>) {
    while let Ok(envelope) = requests.try_recv() {
        refuse(envelope);
    }
}

fn refuse(envelope: Envelope) {
    envelope.refuse("this is a recording: what happened in it cannot be changed");
}

fn next_line(
    lines: &mut impl Iterator<Item = (usize, std::io::Result<String>)>,
    path: &Path,
) -> Result<Option<RecordingLine>, ReplayError> {
    let Some((index, text)) = lines.next() else { return Ok(None) };
    let text = text.map_err(|problem| ReplayError::File { path: path.to_owned(), problem })?;
    serde_json::from_str(&text).map(Some).map_err(|problem| ReplayError::Line {
        path: path.to_owned(),
        line: index + 1,
        problem: problem.to_string(),
    })
}
