//! The kill switch from the shell. It is pulled by its file, so that it works with the engine hung, gone or busy, and at once by
//! the engine's socket where it listens; and taken off by the socket, or by the file where nobody listens.

use std::sync::Arc;

use super::{Exit, Failure, beside, output, serving, settings};
use crate::app::arguments::{CommonArguments, KillArguments};
use crate::app::settings::Loaded;
use crate::engine::act::kill_file::KillFile;
use crate::engine::attach::hello::{STOPPED, Wants};
use crate::engine::ingest::wall_clock;
use crate::engine::input::KillWord;
use crate::engine::request::Request;
use crate::engine::store::{Hold, Store, StoreError};

/// What is so once an engine has heard of it, or reads it.
const ON: &str = "the kill switch is ON: nothing begins, running steps are told to stop within a second";

/// Pulls the switch, takes it off, or says how it stands.
pub(super) fn run(common: &CommonArguments, arguments: &KillArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let folder = &loaded.paths.state_dir;
    let file = KillFile::of(folder);
    if arguments.status {
        return Ok(match file.read() {
            Some(KillWord::On { by, reason }) => {
                output::line(&format!("the kill switch is ON, by {by}: {reason}"))?;
                Exit::Found
            }
            Some(KillWord::Off { by, reason, .. }) => {
                output::line(&format!("the kill switch is off, by {by}: {reason}"))?;
                Exit::Done
            }
            None => {
                output::line("the kill switch is off; it was never pulled here")?;
                Exit::Done
            }
        });
    }
    let by: Arc<str> = Arc::from(super::console::operator());
    let reason: Arc<str> = Arc::from(arguments.reason.as_deref().unwrap_or_default().trim());
    if arguments.off { take_off(&loaded, &file, by, reason) } else { pull(&loaded, &file, by, reason) }
}

/// An engine that is there decides by the role of whoever asks; without one there is nobody to ask.
fn take_off(loaded: &Loaded, file: &KillFile, by: Arc<str>, reason: Arc<str>) -> Result<Exit, Failure> {
    if reason.is_empty() {
        return Err("taking the kill switch off needs --reason: write why it is safe again".into());
    }
    match beside::request(loaded, Request::Release { reason: Arc::clone(&reason) })? {
        Some(done) => output::line(&format!("the engine says: {}", done.text))?,
        None => {
            Store::prepare_folder(&loaded.paths.state_dir)?;
            file.write(&KillWord::Off { by, reason, at: Some(wall_clock::now()) })?;
        }
    }
    output::line("the kill switch is off; steps may begin again, each by its own approval")?;
    Ok(Exit::Done)
}

/// By both ways, whatever becomes of one of them; what is said to be stopped is what was told so.
fn pull(loaded: &Loaded, file: &KillFile, by: Arc<str>, reason: Arc<str>) -> Result<Exit, Failure> {
    let reason = if reason.is_empty() { Arc::from("no reason given") } else { reason };
    let folder = &loaded.paths.state_dir;
    let word = KillWord::On { by, reason: Arc::clone(&reason) };
    let written = Store::prepare_folder(folder)
        .map_err(|problem| problem.to_string())
        .and_then(|()| file.write(&word).map_err(|problem| problem.to_string()));
    let told = match beside::told(loaded, Wants::Kill { reason }) {
        Ok(None) => Ok(None),
        // What it says otherwise is why it did not.
        Ok(Some(text)) => match text.trim_end().strip_prefix(STOPPED) {
            Some(done) => Ok(Some(done.to_owned())),
            None => Err(text),
        },
        Err(problem) => Err(problem.to_string()),
    };
    let (path, place) = (file.path().display(), serving::place(loaded));
    let socket = place.socket().display();
    match (written, told) {
        (Ok(()), Ok(Some(text))) => {
            output::line(&format!("{ON} ({path})"))?;
            output::line(&format!("the engine says: {text}"))?;
        }
        (Ok(()), Ok(None)) => output::line(&format!(
            "the kill switch is ON ({path}): no engine listens at {socket}, and one that is started on {} begins nothing",
            folder.display()
        ))?,
        // Whoever has the store reads the file beside it.
        (Ok(()), Err(problem)) if matches!(Hold::take(folder), Err(StoreError::Held { .. })) => {
            output::line(&format!("{ON} ({path})"))?;
            output::complain(&format!("the engine was not told at once, and reads the file: {problem}"));
        }
        (Ok(()), Err(problem)) => {
            let whose = format!("{path} stops only an engine whose state is in {}", folder.display());
            return Err(format!("the engine at {socket} was not told: {problem}; {whose}").into());
        }
        (Err(problem), Ok(Some(text))) => {
            output::line(&format!("the engine says: {text}"))?;
            output::complain(&format!("{path} cannot be written: {problem}; the engine itself keeps the switch"));
        }
        (Err(problem), told) => {
            let why = told.err().unwrap_or_else(|| "nobody listens".to_owned());
            return Err(format!("nothing was stopped: {path}: {problem}; {socket}: {why}").into());
        }
    }
    Ok(Exit::Done)
}
