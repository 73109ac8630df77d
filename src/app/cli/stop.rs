//! `hypo stop` and `hypo status`: what is asked of an engine in plain text, whatever its version.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::serving::place;
use super::{Exit, Failure, output, settings, tokio_runtime};
use crate::app::arguments::{CommonArguments, StopArguments};
use crate::app::attach::line::{LineProblem, ask_in_text, greeting};
use crate::app::attach::way::is_nobody;
use crate::engine::attach::hello::{ENDS, Wants};
use crate::engine::attach::place::Place;
use crate::engine::store::{Hold, StoreError};

/// Between two looks whether the engine has ended.
const LOOK: Duration = Duration::from_millis(50);
/// An engine that no longer listens lets go of its store within this time: what was learned is written first.
const CLOSING_WAIT: Duration = Duration::from_secs(60);

/// Ends the engine of this state directory, and returns once it has ended.
pub(super) fn stop(common: &CommonArguments, arguments: &StopArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let place = place(&loaded);
    tokio_runtime()?.block_on(async {
        let pid = match place.connect().await {
            Ok(stream) => greeting(stream).await?.pid,
            Err(problem) if is_nobody(&problem) => return none_runs(&place),
            Err(problem) => return Err(LineProblem::from(problem).into()),
        };
        let Some(text) = told(&place, Wants::Stop { now: arguments.now }).await? else { return none_runs(&place) };
        let text = text.trim_end();
        if !text.starts_with(ENDS) {
            return Err(text.into());
        }
        output::line(text)?;
        while let Ok(stream) = place.connect().await {
            // Whoever waited for the end may have begun the next one.
            if greeting(stream).await.is_ok_and(|next| next.pid != pid) {
                return Ok(Exit::Done);
            }
            sleep(LOOK).await;
        }
        // The socket goes first. Whoever may not look into the folder has waited long enough.
        let until = Instant::now() + CLOSING_WAIT;
        let folder = &loaded.paths.state_dir;
        while folder.exists()
            && let Err(problem) = Hold::take(folder)
            && matches!(&problem, StoreError::Held { holder, .. } if holder.contains(&format!("pid {pid} ")))
        {
            if Instant::now() >= until {
                output::complain(&format!(
                    "it listens no more, and has not let go of its store; its disk may hang: {problem}"
                ));
                return Ok(Exit::Failed);
            }
            sleep(LOOK).await;
        }
        Ok(Exit::Done)
    })
}

/// How the engine of this state directory stands.
pub(super) fn status(common: &CommonArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let place = place(&loaded);
    tokio_runtime()?.block_on(async {
        let Some(text) = told(&place, Wants::Status).await? else { return none_runs(&place) };
        text.lines().try_for_each(output::line)?;
        Ok(Exit::Done)
    })
}

/// What an engine says to this; `None` where there is none.
pub(super) async fn told(place: &Place, wants: Wants) -> Result<Option<String>, Failure> {
    match place.connect().await {
        Ok(stream) => Ok(Some(ask_in_text(stream, wants).await?)),
        Err(problem) if is_nobody(&problem) => Ok(None),
        Err(problem) => Err(LineProblem::from(problem).into()),
    }
}

fn none_runs(place: &Place) -> Result<Exit, Failure> {
    output::line(&format!("no engine listens at {}", place.socket().display()))?;
    Ok(Exit::Found)
}
