//! Keeps everything that comes in, one JSON line an input, so that it can be run again.
//!
//! The first line says what the file is; then come the settings, the records the engine started with, and the inputs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RuntimeError;
use crate::engine::input::TimedInput;
use crate::engine::job::Record;
use crate::engine::settings::EngineSettings;

/// Version of the format: 2 since people have roles.
pub const RECORDING_VERSION: u32 = 2;
/// The oldest version that is read: whoever asked then could ask for everything.
pub const RECORDING_VERSION_MIN: u32 = 1;

/// One line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingLine {
    /// What the file is: its version.
    HypocenterRecording(u32),
    /// How the engine was told to judge.
    Settings(Box<EngineSettings>),
    /// Something the engine knew when the recording began.
    Known(Box<Record>),
    /// An input, with its `now`.
    Input(Box<TimedInput>),
}

/// An open recording.
pub(super) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    has_failed: bool,
}

impl Recorder {
    /// Creates the file and writes what the engine starts with. An existing file is replaced.
    pub(super) fn create(
        path: &Path,
        settings: &EngineSettings,
        known: impl Iterator<Item = Record>,
    ) -> Result<Self, RuntimeError> {
        let problem = |problem| RuntimeError::Record { path: path.to_owned(), problem };
        let file = File::create(path).map_err(problem)?;
        let mut recorder = Self { path: path.to_owned(), file: BufWriter::new(file), has_failed: false };
        recorder.try_write(&RecordingLine::HypocenterRecording(RECORDING_VERSION)).map_err(problem)?;
        recorder.try_write(&RecordingLine::Settings(Box::new(settings.clone()))).map_err(problem)?;
        for record in known {
            recorder.try_write(&RecordingLine::Known(Box::new(record))).map_err(problem)?;
        }
        Ok(recorder)
    }

    /// Adds an input. A full disk ends the recording, not the engine; it is said once.
    pub(super) fn write(&mut self, input: &TimedInput) {
        if self.has_failed {
            return;
        }
        if let Err(problem) = self.try_write(&RecordingLine::Input(Box::new(input.clone()))) {
            self.has_failed = true;
            tracing::error!("the recording {} ends here: {problem}", self.path.display());
        }
    }

    fn try_write(&mut self, line: &RecordingLine) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }
}
