//! What the engine that runs on this state directory shows and answers, for commands without a screen in another terminal: they
//! join it as a console that only looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Failure, output, serving, stop, tokio_runtime};
use crate::app::attach::line::LineProblem;
use crate::app::attach::pump::{self, Joined};
use crate::app::attach::way::is_nobody;
use crate::app::settings::Loaded;
use crate::engine::attach::hello::Wants;
use crate::engine::clock::SECOND_MS;
use crate::engine::ingest::wall_clock;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::model::Role;
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;

/// An engine that was just started has its store open within this time, as a rule.
const OPENING_WAIT: Duration = Duration::from_secs(30);

/// An engine that was joined.
pub(super) struct Beside {
    joined: Joined,
    tasks: Runtime,
}

/// Joins the engine that runs on this state directory; `None` where none listens. From whom everything is, is told on standard
/// error.
pub(super) fn join(loaded: &Loaded) -> Result<Option<Beside>, Failure> {
    let tasks = tokio_runtime()?;
    let Some(joined) = tasks.block_on(join_open(loaded, Some(Role::Viewer)))? else { return Ok(None) };
    let beside = Beside { joined, tasks };
    let age_s = wall_clock::now().since_ms(beside.picture().at).max(0) / SECOND_MS;
    output::complain(&format!("from the running hypo pid {}, {age_s} s old", beside.joined.welcome.pid));
    Ok(Some(beside))
}

/// Joins it once its store is open: before that it knows of nothing, which is not that nothing is wrong.
async fn join_open(loaded: &Loaded, cap: Option<Role>) -> Result<Option<Joined>, Failure> {
    let joined = match pump::join(serving::place(loaded), cap).await {
        Ok(joined) => joined,
        Err(LineProblem::NoEngine(problem)) if is_nobody(&problem) => return Ok(None),
        Err(problem) => return Err(problem.into()),
    };
    let mut pictures = joined.handle.snapshots();
    let is_open = timeout(OPENING_WAIT, pictures.wait_for(|picture| !picture.is_before_the_first())).await;
    if !matches!(is_open, Ok(Ok(_))) {
        let pid = joined.welcome.pid;
        return Err(format!("the engine pid {pid} is still opening its store; try again in a while").into());
    }
    Ok(Some(joined))
}

/// What the engine that runs on this state directory says to this; `None` where none listens.
pub(super) fn told(loaded: &Loaded, wants: Wants) -> Result<Option<String>, Failure> {
    tokio_runtime()?.block_on(stop::told(&serving::place(loaded), wants))
}

/// That a request was done.
pub(super) struct Done {
    /// What the engine showed before.
    pub before: Arc<Snapshot>,
    /// What it says.
    pub text: Arc<str>,
}

/// What became of a request of this person to the engine that runs on this state directory; `None` where none listens.
pub(super) fn request(loaded: &Loaded, request: Request) -> Result<Option<Done>, Failure> {
    let cap = loaded.settings.console.read_only.then_some(Role::Viewer);
    let asked = async {
        let Some(joined) = join_open(loaded, cap).await? else { return Ok(None) };
        let before = Arc::clone(&joined.handle.snapshots().borrow());
        match joined.handle.send(&joined.welcome.person, request).await {
            Ok(Reply::Done { text }) => Ok(Some(Done { before, text })),
            Ok(Reply::Refused { reason } | Reply::Lost { reason }) => Err(Failure::from(reason.to_string())),
            Err(_) => Err(Failure::from("the engine ended before it answered; look whether it was done")),
        }
    };
    tokio_runtime()?.block_on(asked)
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
