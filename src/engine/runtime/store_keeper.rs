//! Whoever writes to the store for the engine. What could not be written is not taken for kept: nothing begins any more, watching
//! goes on, and what was refused is remembered until the store has been opened anew and has all of it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::jobs_desk::Keeps;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::job::Record;
use crate::engine::settings::StoreSettings;
use crate::engine::store::{Hold, PastStore, SettledClock, Store, StoreError};

/// Between two tries to open a store anew that could not be written.
const AGAIN: Duration = Duration::from_secs(5);
/// Between two looks whether there is room.
const LOOK: Duration = Duration::from_secs(60);
/// Between two times that what is over is let go.
const FORGET: Duration = Duration::from_hours(1);
/// The first time is not while people wait for what the start shows: all that is kept is read for it.
const FIRST_FORGET: Duration = LOOK;
/// Between two times that the store is written anew, which takes seconds.
const SHORTEN: Duration = Duration::from_hours(12);
/// Records that are remembered; past it only a start tells what is so.
const MISSED_MAX: usize = 50_000;

/// Keeps records in a store, or says why it does not.
pub(super) struct StoreKeeper {
    folder: Arc<Path>,
    /// Others do not get at the store while it is closed: what they wrote would be written over.
    hold: Option<Arc<Hold>>,
    /// Where those find it who read what is past.
    past: PastStore,
    settings: StoreSettings,
    /// Is told how large the store is.
    sizes: Sizes,
    /// Is told what the audit log is to say before a part of it goes.
    told: Told,
    state: Mutex<State>,
}

/// Is told bytes.
pub(super) type Sizes = Box<dyn Fn(u64) + Send + Sync>;
/// Is told what is to be written down.
pub(super) type Told = Box<dyn Fn(Arc<str>) + Send + Sync>;

struct State {
    store: Option<Arc<Store>>,
    /// Written and not flushed, or not written: what a store that is opened anew may lack.
    pending: Vec<Record>,
    /// Why nothing is written; the first reason, which is the one to mend.
    problem: Option<Arc<str>>,
    /// Why nothing begins though it is written.
    scarce: Option<Arc<str>>,
    /// True where nothing is remembered any more, or the store was never read: it stays as it is.
    is_given_up: bool,
    tried_at: Instant,
    looked_at: Option<Instant>,
    began_at: Instant,
    clock: SettledClock,
    forget_from: Instant,
    shortened_at: Option<Instant>,
}

impl StoreKeeper {
    /// Of a store that is open.
    pub(super) fn of(store: Store, settings: StoreSettings, sizes: Sizes, past: PastStore) -> Self {
        let clock = SettledClock::new(store.newest_at());
        let (folder, hold) = (Arc::from(store.path()), Some(store.hold()));
        let mut state = State { clock, ..State::closed(None) };
        state.take_in(store, &past);
        let told: Told = Box::new(|_| {});
        Self { folder, hold, past, settings, sizes, told, state: Mutex::new(state) }
    }

    /// Of a store that could not be opened: it is not known what is in it, so nothing is ever written to it.
    pub(super) fn refusing(folder: &Path, hold: Option<Arc<Hold>>, problem: Arc<str>) -> Self {
        let state = State { is_given_up: true, ..State::closed(Some(problem)) };
        let settings = StoreSettings::default();
        let past = PastStore::default();
        let (sizes, told): (Sizes, Told) = (Box::new(|_| {}), Box::new(|_| {}));
        Self { folder: Arc::from(folder), hold, past, settings, sizes, told, state: Mutex::new(state) }
    }

    /// The same, telling this what the audit log is to say before a part of it goes.
    pub(super) fn telling(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// Lets go what is over, and the room of it.
    fn keep_within(&self, state: &mut State) {
        let now = state.clock.look(wall_clock::now(), state.began_at.elapsed());
        let Some(store) = state.store.clone() else { return };
        if let Some(now) = now.filter(|_| Instant::now() >= state.forget_from) {
            state.forget_from = Instant::now() + FORGET;
            if let Err(problem) = store.forget(&self.settings, now) {
                tracing::warn!("what is over is not let go: {problem}");
            }
            match store.audit_to_let_go(&self.settings, now) {
                Ok(Some(text)) => (self.told)(text),
                Ok(None) => {}
                Err(problem) => tracing::warn!("the audit log lets nothing go: {problem}"),
            }
        }
        let Ok(bytes) = store.size_bytes() else { return };
        (self.sizes)(bytes);
        let is_due = state.shortened_at.is_none_or(|at| at.elapsed() >= SHORTEN);
        if !is_due || !store.is_large(&self.settings).unwrap_or(false) {
            return;
        }
        drop(store);
        // Whoever reads past incidents in it has it for a moment; then it is for the next look.
        let Some(store) = state.store.take() else { return };
        match Arc::try_unwrap(store) {
            Err(busy) => state.store = Some(busy),
            Ok(store) => {
                state.shortened_at = Some(Instant::now());
                match store.shorten(&self.settings, now) {
                    Ok(store) => state.take_in(store, &self.past),
                    Err(problem) => self.go_on_without(state, &problem),
                }
            }
        }
    }

    /// It could not be made shorter, which is a pity and no more.
    fn go_on_without(&self, state: &mut State, problem: &StoreError) {
        tracing::error!("the store is large, and was not written anew: {problem}");
        if let Err(problem) = self.open_anew(state) {
            state.fail(&self.folder, &problem);
        }
    }

    fn open_anew(&self, state: &mut State) -> Result<(), StoreError> {
        let Some(hold) = self.hold.clone() else {
            return Err(StoreError::Failed { path: self.folder.to_path_buf() });
        };
        let store = match Store::open_held(Arc::clone(&hold)) {
            Err(problem @ StoreError::Damaged { .. }) if hold.is_in_doubt() => {
                // It cannot be written anew as a whole; a start takes over what can be read.
                state.is_given_up = true;
                return Err(problem);
            }
            opened => opened?,
        };
        if let Some(loss) = store.loss() {
            // What this engine knows and the store does not goes beyond what is remembered here.
            state.is_given_up = true;
            return Err(StoreError::Damaged { path: self.folder.to_path_buf(), reason: loss.to_string() });
        }
        store.load_guarded()?;
        store.write(&state.pending, true)?;
        state.pending = Vec::new();
        state.take_in(store, &self.past);
        // It may be open by the reserve alone, which is room for nothing that begins.
        state.looked_at = None;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked meanwhile was between two writes; the store guards itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn closed(problem: Option<Arc<str>>) -> Self {
        Self {
            store: None,
            pending: Vec::new(),
            problem,
            scarce: None,
            is_given_up: false,
            tried_at: Instant::now(),
            looked_at: None,
            began_at: Instant::now(),
            clock: SettledClock::new(Timestamp(0)),
            forget_from: Instant::now() + FIRST_FORGET,
            shortened_at: None,
        }
    }

    /// Says how many were remembered before.
    fn remember(&mut self, records: &[Record]) -> usize {
        let before = self.pending.len();
        if self.is_given_up {
            return before;
        }
        self.pending.extend(records.iter().filter(|record| !is_learnt(record)).cloned());
        if self.problem.is_some() && self.pending.len() > MISSED_MAX {
            self.pending = Vec::new();
            self.is_given_up = true;
        }
        before
    }

    /// What was written last may or may not be on disk: only a store that is opened anew knows.
    fn fail(&mut self, folder: &Path, problem: &StoreError) {
        self.store = None;
        release_ballast(folder, problem);
        self.tried_at = Instant::now();
        self.problem = Some(Arc::from(problem.to_string()));
    }

    fn refusal(&self) -> Option<StoreError> {
        let reason = self.problem.as_deref()?.to_owned();
        let then = if self.is_given_up { "then restart hypo" } else { "it is tried again every few seconds" };
        Some(StoreError::Stopped { reason, then })
    }

    fn take_in(&mut self, store: Store, past: &PastStore) {
        let store = Arc::new(store);
        // The engine alone keeps it open.
        past.is(&store);
        (self.store, self.problem) = (Some(store), None);
    }
}

impl Keeps for StoreKeeper {
    fn write(&self, records: &[Record], is_durable: bool) -> Result<(), StoreError> {
        let mut state = self.state();
        let before = state.remember(records);
        let Some(store) = state.store.clone() else { return state.refusal().map_or(Ok(()), Err) };
        match store.write(records, is_durable) {
            Ok(()) => {
                if is_durable {
                    state.pending = Vec::new();
                }
                Ok(())
            }
            // It is the record that is wrong, not the store.
            Err(problem @ (StoreError::Record { .. } | StoreError::AuditRewritten { .. })) => {
                state.pending.truncate(before);
                Err(problem)
            }
            Err(problem) => {
                drop(store);
                state.fail(&self.folder, &problem);
                Err(state.refusal().unwrap_or(problem))
            }
        }
    }

    fn tend(&self) {
        let mut state = self.state();
        if state.store.is_none() {
            if state.is_given_up || state.tried_at.elapsed() < AGAIN {
                return;
            }
            state.tried_at = Instant::now();
            if let Err(problem) = self.open_anew(&mut state) {
                release_ballast(&self.folder, &problem);
                tracing::warn!("the store cannot be opened anew yet: {problem}");
            }
            return;
        }
        // Whoever has made room wants to go on.
        let every = if state.scarce.is_some() { AGAIN } else { LOOK };
        let is_due = state.looked_at.is_none_or(|at| at.elapsed() >= every);
        if is_due {
            state.looked_at = Some(Instant::now());
            state.scarce = match Store::make_ballast(&self.folder) {
                Ok(true) => None,
                Ok(false) => Some(Arc::from(format!(
                    "the disk of {} is nearly full; free 128 MiB, until then only what must be kept is written",
                    self.folder.display()
                ))),
                Err(problem) => {
                    tracing::warn!("there is no reserve for a full disk: {problem}");
                    None
                }
            };
        }
        if is_due {
            self.keep_within(&mut state);
        }
        // What is written without haste is on disk within a moment, so that little is ever remembered.
        let Some(store) = state.store.clone().filter(|_| !state.pending.is_empty()) else { return };
        let flushed = store.flush();
        drop(store);
        match flushed {
            Ok(()) => state.pending = Vec::new(),
            Err(problem) => state.fail(&self.folder, &problem),
        }
    }

    fn back_up(&self, to: &Path) -> Result<String, StoreError> {
        let state = self.state();
        let Some(store) = &state.store else {
            let reason = state.problem.as_deref().unwrap_or("nothing is kept here").to_owned();
            return Err(StoreError::Backup { path: to.to_path_buf(), reason });
        };
        store.back_up(to, wall_clock::now()).map(|backed_up| backed_up.to_string())
    }

    fn why_nothing_begins(&self) -> Option<Arc<str>> {
        let state = self.state();
        match state.refusal() {
            Some(problem) => Some(Arc::from(problem.to_string())),
            None => state.scarce.clone(),
        }
    }
}

/// Lets the reserve go where there is no room; the store can be opened then.
fn release_ballast(folder: &Path, problem: &StoreError) {
    if matches!(problem, StoreError::Full { .. })
        && let Err(problem) = Store::release_ballast(folder)
    {
        tracing::warn!("the reserve for a full disk stays where it is: {problem}");
    }
}

/// What can be learnt anew is not remembered: it is most of what there is.
fn is_learnt(record: &Record) -> bool {
    matches!(
        record,
        Record::Series(_)
            | Record::SeriesGone(_)
            | Record::PastPage(_)
            | Record::Relations { .. }
            | Record::Topology(_)
            | Record::Templates(_)
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use nix::errno::Errno;

    use super::*;
    use crate::engine::durable_file::waits;
    use crate::engine::model::{AuditEntry, AuditKind};
    use crate::engine::store::audit_file;

    fn setting(name: &str) -> Record {
        Record::Setting { name: name.to_owned(), value: "1".to_owned() }
    }

    fn keeper(folder: &Path) -> StoreKeeper {
        let store = Store::open(folder).unwrap();
        StoreKeeper::of(store, StoreSettings::default(), Box::new(|_| {}), PastStore::default())
    }

    fn folder() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        Store::open(folder).unwrap().load().unwrap().settings.into_keys().collect()
    }

    /// The disk gives way in the midst of a write.
    fn give_way(keeper: &StoreKeeper) {
        keeper.state().fail(&keeper.folder, &StoreError::Full { path: keeper.folder.to_path_buf() });
    }

    fn time_passes(keeper: &StoreKeeper) {
        let long_ago = Instant::now().checked_sub(AGAIN).unwrap();
        keeper.state().tried_at = long_ago;
    }

    #[test]
    fn the_oldest_part_of_the_audit_log_goes_once_the_log_says_so() {
        let entry = |sequence: u64, at: Timestamp, kind: AuditKind, text: &str| {
            let (by, text) = (Arc::from("engine"), Arc::from(text));
            Record::Audit(AuditEntry { sequence, at, kind, by, incident: None, run: None, text })
        };
        let folder = folder();
        let (sender, told) = std::sync::mpsc::channel();
        let keeper = keeper(folder.path()).telling(Box::new(move |text| drop(sender.send(text))));
        // More than one file of the log has, in lines of nearly the longest.
        let long = "x".repeat(1_000_000);
        for sequence in 1..=18 {
            keeper.write(&[entry(sequence, Timestamp(5), AuditKind::Decision, &long)], true).unwrap();
        }
        let now = wall_clock::now();
        keeper.state().clock = SettledClock::new(now);
        keeper.state().forget_from = Instant::now() + FIRST_FORGET;
        keeper.tend();
        assert!(told.try_recv().is_err(), "nothing goes as soon as it starts");
        keeper.state().forget_from = Instant::now();
        keeper.state().looked_at = None;
        keeper.tend();
        let text = told.try_recv().unwrap();
        let sealed = folder.path().join("audit/00000000000000000001.jsonl");
        assert!(text.contains("entries up to 17") && sealed.exists(), "{text}");
        keeper.write(&[entry(19, now, AuditKind::Decision, &text)], true).unwrap();
        assert!(!sealed.exists());
        let verdict = audit_file::check(folder.path(), &[]).unwrap();
        assert!(verdict.is_whole() && verdict.entries == 2, "{:?}", verdict.findings);
    }

    #[test]
    fn what_could_not_be_written_is_written_once_the_store_can_be_opened_anew() {
        let folder = folder();
        let keeper = keeper(folder.path());
        keeper.write(&[setting("flushed")], true).unwrap();
        keeper.write(&[setting("not flushed")], false).unwrap();
        give_way(&keeper);
        let told = keeper.write(&[setting("refused")], true).unwrap_err().to_string();
        assert!(told.contains("no room left") && told.contains("tried again every few seconds"), "{told}");
        assert_eq!(keeper.why_nothing_begins().as_deref(), Some(told.as_str()), "the first reason stays");
        keeper.tend();
        assert!(keeper.why_nothing_begins().is_some(), "it was tried at once");
        time_passes(&keeper);
        // Nobody else gets at it meanwhile: what was written in between would be written over.
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Held { .. })));
        assert!(keeper.write(&[setting("refused too")], true).is_err());
        keeper.tend();
        assert_eq!(keeper.why_nothing_begins(), None);
        keeper.write(&[setting("after")], true).unwrap();
        drop(keeper);
        assert_eq!(names(folder.path()), ["after", "flushed", "not flushed", "refused", "refused too"]);
    }

    #[test]
    fn what_was_waited_for_in_vain_is_written_anew_before_it_is_believed() {
        let folder = folder();
        let keeper = keeper(folder.path());
        let inode = || folder.path().join(audit_file::LOG_FILE).metadata().unwrap().ino();
        let before = inode();
        let entry = AuditEntry {
            sequence: 1,
            at: Timestamp(0),
            kind: AuditKind::Intent,
            by: Arc::from("ana"),
            incident: None,
            run: None,
            text: Arc::from("$ restart"),
        };
        let fails = || keeper.write(&[Record::Audit(entry), setting("kept")], true);
        assert!(waits::failing(audit_file::LOG_FILE, Errno::ENOSPC, fails).is_err());
        // As long as the disk fails, sled breaks off as well where the store is let go of.
        time_passes(&keeper);
        waits::failing(waits::OF_OTHERS, Errno::EIO, || keeper.tend());
        time_passes(&keeper);
        keeper.tend();
        assert_eq!(keeper.why_nothing_begins(), None);
        assert_ne!(inode(), before, "the system's memory was believed");
        drop(keeper);
        assert_eq!(names(folder.path()), ["kept"]);
    }

    #[test]
    fn a_store_that_was_never_read_is_never_written() {
        let folder = folder();
        drop(keeper(folder.path()));
        let keeper = StoreKeeper::refusing(folder.path(), None, Arc::from("its disk is read-only"));
        assert!(keeper.write(&[setting("a")], true).unwrap_err().to_string().contains("its disk is read-only"));
        time_passes(&keeper);
        keeper.tend();
        assert!(keeper.why_nothing_begins().is_some() && keeper.back_up(&folder.path().join("b")).is_err());
        drop(keeper);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn there_is_room_for_a_full_disk_until_it_is_full() {
        let folder = folder();
        let keeper = keeper(folder.path());
        keeper.tend();
        assert!(folder.path().join("ballast").exists());
        give_way(&keeper);
        assert!(!folder.path().join("ballast").exists(), "the store could not be opened");
        time_passes(&keeper);
        keeper.tend();
        keeper.tend();
        assert!(folder.path().join("ballast").exists(), "it is looked for room at once");
        // While there is little, whoever made some does not wait for the next usual look.
        let just_now = Instant::now().checked_sub(AGAIN).unwrap();
        keeper.state().scarce = Some(Arc::from("the disk is nearly full"));
        keeper.state().looked_at = Some(just_now);
        keeper.tend();
        assert_eq!(keeper.why_nothing_begins(), None);
    }
}
