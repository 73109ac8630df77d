//! Feeds, inventory and ledger together, as they are kept: the one way from files to the queue.

use std::path::Path;

use super::exceptions::InForce;
use super::going;
use super::inventory::Fleet;
use super::inventory::file::{self, FileError};
use super::knowledge::Knowledge;
use super::ledger::Ledger;
use super::matching::fleet::{Matched, matched};
use super::mended::History;
use super::queue::{self, Queue};
use super::shelf::{Shelf, ShelfError};
use crate::engine::clock::Timestamp;
use crate::engine::settings::RiskSettings;

/// Why the queue cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// A feed.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The inventory, or when what was found first.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is known and what is installed.
#[derive(Debug, Clone, Default)]
pub struct Office {
    /// What the feeds say.
    pub knowledge: Knowledge,
    /// What is installed where.
    pub fleet: Fleet,
}

impl Office {
    /// Reads both from the state directory.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn load(state_dir: &Path) -> Result<Self, OfficeError> {
        Ok(Self { knowledge: Knowledge::load(&Shelf::of(state_dir))?, fleet: file::load(state_dir)? })
    }

    /// What concerns each asset.
    #[must_use]
    pub fn matched(&self) -> Matched<'_, '_> {
        matched(&self.fleet, &self.knowledge)
    }

    /// The queue; what was found for the first time, and what went, is noted in the state directory.
    ///
    /// # Errors
    /// When the ledger cannot be read or written: deadlines would not be those that were told before.
    pub fn queue(
        &self,
        matched: &Matched<'_, '_>,
        state_dir: &Path,
        exceptions: &InForce<'_>,
        settings: &RiskSettings,
        now: Timestamp,
    ) -> Result<Queue, OfficeError> {
        let _held = file::hold(state_dir)?;
        let before = Ledger::load(state_dir)?;
        let mut ledger = before.clone();
        let queue = queue::queue(matched, &self.knowledge, &mut ledger, exceptions, settings, now);
        let gone = going::entries(&ledger.take_gone(), matched, &self.knowledge, settings, now);
        if !gone.is_empty() {
            // Before the ledger forgets: after a crash between the two it is found again, and counted once.
            let mut history = History::load(state_dir)?;
            history.add(gone);
            history.keep(state_dir)?;
        }
        if ledger != before {
            ledger.keep(state_dir)?;
        }
        Ok(queue)
    }
}
