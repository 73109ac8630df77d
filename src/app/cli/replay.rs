//! `hypo replay`: a recording through the engine again, printed or watched.

use super::{Exit, Failure, console, output, printing, settings};
use crate::app::arguments::{CommonArguments, ReplayArguments};
use crate::engine::clock::SECOND_MS;
use crate::engine::report;
use crate::engine::runtime::replay::Replay;

pub(super) fn run(common: &CommonArguments, arguments: &ReplayArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let replay = Replay::open(&arguments.file, console::library(&loaded.settings))?;
    if let Some(speed) = arguments.speed {
        if !(speed.is_finite() && speed > 0.0) {
            return Err(format!("--speed {speed} makes no sense; give a number above 0, such as 10").into());
        }
        return console::show(&loaded, replay.start_paced(speed)?);
    }
    let replayed = replay.run()?;
    let report = report::report(&replayed.snapshot);
    if arguments.json {
        output::json(&report)?;
    } else {
        let (start, end) = replayed.span;
        let seconds = end.since_ms(start) / SECOND_MS;
        output::line(&format!("{} inputs over {seconds} s, from {start}", replayed.input_count))?;
        printing::report(&report)?;
    }
    Ok(Exit::Done)
}
