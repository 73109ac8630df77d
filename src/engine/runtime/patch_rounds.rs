//! Renews feeds and scans the inventory again and again, each at the interval of the settings; without one nothing is asked by
//! itself. Files of watched folders are taken in as they change. It has a thread of its own, and its word is what it leaves in the state directory: `patch_desk` sees that files
//! changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::ingest::backoff::Backoff;
use crate::engine::ingest::{StopSignal, wall_clock};
use crate::engine::limits::{PATCH_ROUND_LOOK_MS, PATCH_ROUND_PAUSE_MS_MIN};
use crate::engine::patches::feeds::FeedKind;
use crate::engine::patches::inventory::file;
use crate::engine::patches::shelf::health::Tried;
use crate::engine::patches::shelf::{Shelf, ShelfError};
use crate::engine::patches::sync::{Pause, Renewed, Renewing, SyncError};
use crate::engine::settings::{PatchSettings, RunbookSettings};

use super::inventory_scan::{self, Scope};

/// NVD last: its first download takes an hour, and holds up whatever comes after it.
const FEEDS: [FeedKind; 5] = [FeedKind::Kev, FeedKind::Epss, FeedKind::Debian, FeedKind::Osv, FeedKind::Nvd];

/// Begins the rounds that the settings want, for as long as the program runs. Without a folder there are none.
pub(super) fn begin(folder: Option<&Path>, patches: &PatchSettings, runbooks: &RunbookSettings, stop: &StopSignal) {
    let Some(folder) = folder else { return };
    if patches.feeds.every.is_none() && patches.inventory.every.is_none() && patches.inventory.folders.is_empty() {
        return;
    }
    let waits = stop.clone();
    let pause: Pause = Arc::new(move |ms| {
        let stop = waits.clone();
        Box::pin(async move {
            let _is_to_go_on = stop.sleep_ms(ms).await;
        })
    });
    let rounds = Rounds {
        folder: folder.to_owned(),
        patches: patches.clone(),
        runbooks: runbooks.clone(),
        stop: stop.clone(),
        pause,
        again_ms: PATCH_ROUND_PAUSE_MS_MIN,
        look_ms: PATCH_ROUND_LOOK_MS,
    };
    // Not waited for at the end: what it keeps is replaced as a whole or not at all.
    let spawned = thread::Builder::new().name("hypo-rounds".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(rounds.go()),
            Err(problem) => tracing::error!("feeds and inventory are not renewed by themselves: {problem}"),
        }
    });
    if let Err(problem) = spawned {
        tracing::error!("feeds and inventory are not renewed by themselves: {problem}");
    }
}

struct Rounds {
    folder: PathBuf,
    patches: PatchSettings,
    runbooks: RunbookSettings,
    stop: StopSignal,
    /// How to wait between requests.
    pause: Pause,
    /// The first pause after a failure.
    again_ms: u64,
    /// The clock is looked at this often: it may be set, and a machine may have slept.
    look_ms: u64,
}

impl Rounds {
    async fn go(self) {
        tokio::select! {
            biased;
            () = self.stop.stopped() => {}
            ((), (), ()) = async { tokio::join!(self.feeds(), self.scans(), self.folders()) } => {}
        }
    }

    async fn feeds(&self) {
        let Some(every) = self.patches.feeds.every else { return };
        let shelf = Shelf::of(&self.folder);
        let tries = shelf.tries();
        let turn = |feed: FeedKind| (feed, Turn::after(tries.get(&feed), feed.word(), every.0, self.again_ms));
        let mut turns = FEEDS.map(turn);
        loop {
            for (feed, turn) in &mut turns {
                if turn.is_due(wall_clock::now()) {
                    let outcome = self.renew(&shelf, *feed).await;
                    turn.over(outcome.is_ok(), wall_clock::now());
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(self.look_ms)).await;
        }
    }

    async fn renew(&self, shelf: &Shelf, feed: FeedKind) -> Result<Renewed, SyncError> {
        let outcome = match shelf.renewal() {
            Ok(renewal) => {
                let renewing = Renewing {
                    settings: &self.patches.feeds,
                    shelf,
                    renewal: &renewal,
                    now: &wall_clock::now,
                    pause: Arc::clone(&self.pause),
                    may_shrink: false,
                };
                renewing.renew(feed).await
            }
            Err(problem) => Err(problem.into()),
        };
        match &outcome {
            Ok(Renewed::Taken { count, .. }) => tracing::info!(feed = feed.word(), count, "a feed was renewed"),
            Ok(_) => {}
            // Somebody renews by hand.
            Err(SyncError::Shelf(ShelfError::Busy(_))) => {}
            Err(problem) => tracing::warn!(feed = feed.word(), %problem, "a feed was not renewed"),
        }
        outcome
    }

    async fn scans(&self) {
        let settings = &self.patches.inventory;
        let Some(every) = settings.every else { return };
        let tries = file::tries(&self.folder);
        let mut turn = Turn::after(tries.values().max_by_key(|tried| tried.at), "inventory", every.0, self.again_ms);
        let scope = Scope { own: Some(None), hosts: &settings.hosts, folders: &settings.folders };
        loop {
            if turn.is_due(wall_clock::now()) {
                let taken = inventory_scan::scan(&self.folder, scope, &self.runbooks).await;
                let is_good = match &taken {
                    Ok(taken) => taken.iter().all(|one| one.problem.is_none()),
                    Err(problem) => {
                        tracing::warn!(%problem, "the inventory was not scanned");
                        false
                    }
                };
                turn.over(is_good, wall_clock::now());
            }
            tokio::time::sleep(std::time::Duration::from_millis(self.look_ms)).await;
        }
    }
}

impl Rounds {
    /// Takes files of the watched folders in once they have changed and were left alone since the last look.
    async fn folders(&self) {
        let folders = &self.patches.inventory.folders;
        if folders.is_empty() {
            return;
        }
        let tries = file::tries(&self.folder);
        let is_known = |path: &PathBuf, mark: &FileMark| {
            let tried = tries.get(&path.display().to_string());
            tried.is_some_and(|tried| wall_clock::of(mark.0) < tried.at)
        };
        let mut before = file_marks(folders);
        let mut taken: FileMarks = before
            .iter()
            .filter(|(path, mark)| is_known(path, mark))
            .map(|(path, mark)| (path.clone(), *mark))
            .collect();
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(self.look_ms)).await;
            let marks = file_marks(folders);
            let settled = marks.iter().filter(|(path, mark)| before.get(*path) == Some(mark));
            let fresh: Vec<PathBuf> =
                settled.filter(|(path, mark)| taken.get(*path) != Some(mark)).map(|(path, _)| path.clone()).collect();
            if !fresh.is_empty() {
                match inventory_scan::import(&self.folder, &fresh) {
                    Ok(_) => taken.extend(fresh.iter().filter_map(|path| Some((path.clone(), *marks.get(path)?)))),
                    Err(problem) => tracing::warn!(%problem, "files of watched folders were not taken in"),
                }
            }
            before = marks;
        }
    }
}

/// When a file was changed, and its length.
type FileMark = (SystemTime, u64);
type FileMarks = BTreeMap<PathBuf, FileMark>;

/// The files of folders; one that cannot be read is told by scans.
fn file_marks(folders: &[PathBuf]) -> FileMarks {
    let files = folders.iter().filter_map(|folder| inventory_scan::files_of(folder).ok()).flatten();
    let marked = files.filter_map(|path| {
        let seen = std::fs::metadata(&path).ok()?;
        Some((path, (seen.modified().ok()?, seen.len())))
    });
    marked.collect()
}

/// When something is to be done again.
struct Turn {
    every_ms: i64,
    due_at: Timestamp,
    backoff: Backoff,
}

impl Turn {
    /// By what became of it in an earlier life: what succeeded then is not asked again too soon.
    fn after(tried: Option<&Tried>, name: &str, every_ms: i64, again_ms: u64) -> Self {
        let longest = u64::try_from(every_ms).unwrap_or(0).max(again_ms);
        let due_at = match tried {
            Some(Tried { at, error: None, .. }) => *at + every_ms,
            _ => Timestamp(i64::MIN),
        };
        Self { every_ms, due_at, backoff: Backoff::for_name(name).between(again_ms, longest) }
    }

    /// A clock that went back makes nobody wait for longer than the interval.
    fn is_due(&self, now: Timestamp) -> bool {
        self.due_at <= now || self.due_at > now + self.every_ms + MINUTE_MS
    }

    /// It was done, or failed: then it is tried again after a pause that grows up to the interval.
    fn over(&mut self, is_good: bool, now: Timestamp) {
        let pause_ms = if is_good {
            self.backoff.reset();
            self.every_ms
        } else {
            i64::try_from(self.backoff.next_ms()).map_or(self.every_ms, |ms| ms.min(self.every_ms))
        };
        self.due_at = now + pause_ms;
    }
}

#[cfg(test)]
mod tests;
