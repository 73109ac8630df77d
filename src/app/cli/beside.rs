//! What the engine that runs on this state directory shows and answers, for commands without a screen in another terminal: they
//! join it as a console that only looks.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{Failure, output, serving, tokio_runtime};
use crate::app::attach::line::{LineProblem, ask_in_text};
use crate::app::attach::pump::{self, Joined};
use crate::app::attach::way::is_nobody;
use crate::app::settings::Loaded;
use crate::engine::attach::hello::Wants;
use crate::engine::clock::SECOND_MS;
use crate::engine::ingest::wall_clock;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::model::Role;
use crate::engine::snapshot::Snapshot;

/// An engine that was joined.
pub(super) struct Beside {
    joined: Joined,
    tasks: Runtime,
}

/// Joins the engine that runs on this state directory; `None` where none listens. From whom everything is, is told on standard
/// error.
pub(super) fn join(loaded: &Loaded) -> Result<Option<Beside>, Failure> {
    let tasks = tokio_runtime()?;
    let joined = match tasks.block_on(pump::join(serving::place(loaded), Some(Role::Viewer))) {
        Ok(joined) => joined,
        Err(LineProblem::NoEngine(problem)) if is_nobody(&problem) => return Ok(None),
        Err(problem) => return Err(problem.into()),
    };
    let beside = Beside { joined, tasks };
    let age_s = wall_clock::now().since_ms(beside.picture().at).max(0) / SECOND_MS;
    output::complain(&format!("from the running hypo pid {}, {age_s} s old", beside.joined.welcome.pid));
    Ok(Some(beside))
}

/// What the engine that runs on this state directory says to this; `None` where none listens.
pub(super) fn told(loaded: &Loaded, wants: Wants) -> Result<Option<String>, Failure> {
    let told = tokio_runtime()?.block_on(async { ask_in_text(serving::place(loaded).connect().await?, wants).await });
    match told {
        Ok(text) => Ok(Some(text)),
        Err(LineProblem::NoEngine(problem)) if is_nobody(&problem) => Ok(None),
        Err(problem) => Err(problem.into()),
    }
}

impl Beside {
    /// What it shows.
    pub(super) fn picture(&self) -> Arc<Snapshot> {
        Arc::clone(&self.joined.handle.snapshots().borrow())
    }

    /// Asks it, and hands everything that comes back to `hear`, as it comes.
    pub(super) fn ask(
        &self,
        inquiry: Inquiry,
        mut hear: impl FnMut(Telling) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut told: mpsc::Receiver<Telling> = self.joined.handle.ask(inquiry);
        while let Some(telling) = self.tasks.block_on(told.recv()) {
            hear(telling)?;
        }
        Ok(())
    }
}
