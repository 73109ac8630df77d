//! How the engine stands, in a few lines of text: what `hypo status` prints, also of an engine of another version.

use std::fmt::Write as _;

use super::server::Served;
use crate::engine::model::{SourceState, human_count};

/// The lines.
pub(super) fn text(served: &Served) -> String {
    let snapshots = served.handle.snapshots();
    let picture = snapshots.borrow();
    let live = picture.incidents.iter().filter(|incident| incident.state.is_live()).count();
    let open = picture.runs.iter().filter(|run| run.state.is_open()).count();
    let down = picture.sources.iter().filter(|source| matches!(source.state, SourceState::Down { .. })).count();
    let mut text = String::new();
    let mut line = |what: &str, value: String| {
        // Writing into a string does not fail.
        let _infallible = writeln!(text, "{what:<10} {value}");
    };
    line("engine", format!("hypo {} pid {} since {}", env!("CARGO_PKG_VERSION"), served.pid, served.since));
    let way = if served.is_background { "in the background" } else { "in the foreground" };
    line("consoles", format!("{} attached to an engine {way}", served.attendance.count()));
    if let Some(farewell) = served.farewell.borrow().as_ref() {
        line("ending", farewell.why.to_string());
    }
    line("store", if picture.store.path.is_empty() { "none".to_owned() } else { picture.store.path.to_string() });
    if let Some(percent) = picture.store.percent() {
        let (size, most) = (picture.store.size_bytes >> 20, picture.store.size_max_bytes >> 20);
        line("", format!("{size} of {most} MiB, {percent} %"));
    }
    if let Some(problem) = &picture.store.problem {
        line("", problem.to_string());
    }
    line("sources", format!("{}, {down} down", picture.sources.len()));
    line("series", human_count(picture.counts.series_count));
    line("incidents", format!("{live} open"));
    line("runs", format!("{open} open, {} commands running", picture.running_commands().len()));
    line("mode", picture.mode.word().to_owned());
    if let Some(kill) = &picture.kill {
        line("kill", format!("the kill switch is ON since {}, by {}: {}", kill.at, kill.by, kill.reason));
    }
    text
}
