//! The kill switch from the shell: by its file, so that it works with the engine hung, gone or busy, and at once by its socket
//! where it listens.

use std::sync::Arc;

use super::{Exit, Failure, beside, output, settings};
use crate::app::arguments::{CommonArguments, KillArguments};
use crate::engine::act::kill_file::KillFile;
use crate::engine::attach::hello::Wants;
use crate::engine::ingest::wall_clock;
use crate::engine::input::KillWord;
use crate::engine::store::Store;

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
    Store::prepare_folder(folder)?;
    if arguments.off {
        if reason.is_empty() {
            return Err("taking the kill switch off needs --reason: write why it is safe again".into());
        }
        file.write(&KillWord::Off { by, reason, at: Some(wall_clock::now()) })?;
        output::line("the kill switch is off; steps may begin again, each by its own approval")?;
    } else {
        let reason = if reason.is_empty() { Arc::from("no reason given") } else { reason };
        file.write(&KillWord::On { by, reason: Arc::clone(&reason) })?;
        output::line(&format!(
            "the kill switch is ON: nothing begins, running steps are told to stop within a second ({})",
            file.path().display()
        ))?;
        // The file holds whatever becomes of this.
        match beside::told(&loaded, Wants::Kill { reason }) {
            Ok(Some(text)) => output::line(&format!("the engine says: {}", text.trim_end()))?,
            Ok(None) => {}
            Err(problem) => {
                output::complain(&format!("the engine was not told at once, and reads the file: {problem}"));
            }
        }
    }
    Ok(Exit::Done)
}
