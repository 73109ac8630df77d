//! The pure core: inputs and a `now` in, jobs out. The one place that knows the order of the stages.
//!
//! Signals are detected on as they come; what follows (correlation, root cause, runbooks) looks at all that was touched
//! once a tick. A storm of two thousand alerts within a second is thus one step of correlation, and the order in which
//! they arrived within it does not matter.

mod assist;
mod audit_log;
mod documents;
mod exceptions;
mod handover;
mod incidents;
mod learned;
mod meanwhile;
mod outward;
mod picture;
mod presence;
mod requests;
mod retention;
mod rollout_ends;
mod rollout_facts;
mod rollout_noise;
mod rollout_orders;
mod rollout_samples;
mod rollouts;
mod runs;
mod safety;
mod signals;
mod turn;
mod wheels;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::act::walk::ENGINE;
use super::act::wheel::Wheels;
use super::clock::Timestamp;
use super::correlate::{Correlator, Touched};
use super::detect::{CalendarError, Detection};
use super::incident_kind::IncidentKinds;
use super::input::{Input, RunbookFiles};
use super::job::{Job, NextNumbers, Record};
use super::model::{
    AuditKind, AutonomyStatus, Document, DocumentKind, IncidentId, Misfit, Present, Proposal, RunId, RunbookPage,
    Safety, Vital,
};
use super::outbox::Outbox;
use super::patches::exceptions::PatchException;
use super::patches::picture::PatchPicture;
use super::precursors::Precursors;
use super::remedies::Remedies;
use super::runbooks::Library;
use super::settings::EngineSettings;
use super::snapshot::{AutonomyMode, StoreStatus};
use super::world::World;
use audit_log::{About, AuditLog};
use rollouts::Rollouts;
use turn::Turn;

/// The engine's core. Owns everything that is known; reads no clock, does no I/O.
pub struct Engine {
    settings: EngineSettings,
    library: Library,
    /// What its runbooks say of themselves.
    runbook_pages: Arc<Vec<RunbookPage>>,
    detection: Detection,
    correlator: Correlator,
    kinds: IncidentKinds,
    precursors: Precursors,
    precursors_looked_at: Timestamp,
    world: World,
    audit: AuditLog,
    /// What changed since correlation last looked.
    touched: Touched,
    /// Incidents whose causes have to be looked for again.
    to_rank: BTreeSet<IncidentId>,
    /// Runbooks that fit, by live incident.
    proposals: BTreeMap<IncidentId, Vec<Arc<Proposal>>>,
    /// Runbooks that fit and cannot be filled in, by live incident.
    misfits: BTreeMap<IncidentId, Vec<Misfit>>,
    /// Runs whose output grew since they were last kept: a chatty command costs one write a tick.
    runs_to_keep: BTreeSet<RunId>,
    /// Who drives which run.
    wheels: Wheels,
    /// Who is attached, in the order of their seats.
    present: Vec<Present>,
    /// When whoever is not was last here, by name.
    last_here: BTreeMap<Arc<str>, Timestamp>,
    /// Reports of attempts that nobody waited for any more.
    late_report_count: u64,
    outbox: Outbox,
    /// What people wrote about incidents.
    documents: BTreeMap<(IncidentId, DocumentKind), Arc<Document>>,
    safety: Safety,
    autonomy: AutonomyStatus,
    remedies: Remedies,
    next_change: u64,
    next_run: u64,
    store: StoreStatus,
    /// What must be patched, as the driver found it.
    patches: Arc<PatchPicture>,
    rollouts: Rollouts,
    exceptions: BTreeMap<u64, Arc<PatchException>>,
    next_exception: u64,
    /// The latest values, and when they were gathered.
    vitals: Arc<Vec<Vital>>,
    vitals_at: Timestamp,
    last_kept_at: Timestamp,
    revision: u64,
    has_changed: bool,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A calendar event in the settings cannot be read.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// A maintenance window, a freeze or a rule for patches cannot be read.
    #[error("{0}")]
    Patches(String),
}

impl Engine {
    /// An engine that knows nothing yet.
    ///
    /// # Errors
    /// When the settings hold a calendar event, a maintenance window or a rule for patches that cannot be read.
    pub fn new(settings: EngineSettings, library: Library) -> Result<Self, EngineError> {
        Ok(Self {
            detection: Detection::new(&settings.detection, &settings.calendar)?,
            correlator: Correlator::new(&settings.correlation),
            kinds: IncidentKinds::default(),
            precursors: Precursors::default(),
            precursors_looked_at: Timestamp(0),
            runbook_pages: Arc::new(library.told()),
            library,
            world: World::default(),
            audit: AuditLog::default(),
            touched: Touched::default(),
            to_rank: BTreeSet::new(),
            proposals: BTreeMap::new(),
            misfits: BTreeMap::new(),
            runs_to_keep: BTreeSet::new(),
            wheels: Wheels::default(),
            present: Vec::new(),
            last_here: BTreeMap::new(),
            late_report_count: 0,
            outbox: Outbox::new(&settings.outbound),
            documents: BTreeMap::new(),
            safety: Safety::default(),
            autonomy: AutonomyStatus::default(),
            remedies: Remedies::default(),
            next_change: 1,
            next_run: 1,
            store: StoreStatus::default(),
            patches: Arc::default(),
            rollouts: Rollouts::new(&settings).map_err(EngineError::Patches)?,
            exceptions: BTreeMap::new(),
            next_exception: 1,
            vitals: Arc::default(),
            vitals_at: Timestamp(0),
            last_kept_at: Timestamp(0),
            revision: 0,
            has_changed: true,
            settings,
        })
    }

    /// Tells the engine what the store is like, for the picture.
    pub fn set_store_status(&mut self, status: StoreStatus) {
        self.has_changed |= self.store != status;
        self.store = status;
    }

    /// So many kept series could not be read back.
    pub fn note_unread_series(&mut self, count: u64) {
        self.tell_begun_anew(count, "could not be read back");
    }

    /// So many pages of what was measured could not be read back.
    pub fn note_unread_past(&mut self, count: u64) {
        if count > 0 {
            let told = || {
                Arc::from(format!(
                    "{count} pages of what was measured at other times could not be read back; they are left as they are"
                ))
            };
            self.store.problem.get_or_insert_with(told);
        }
    }

    fn tell_begun_anew(&mut self, count: u64, why: &str) {
        if count > 0 {
            let told = || Arc::from(format!("{count} series {why}: their history begins anew"));
            self.store.problem.get_or_insert_with(told);
        }
    }

    /// Takes what was kept of an earlier life; called before the first input. Interrupted runs are found here, and the
    /// jobs that record them come back.
    pub fn restore(&mut self, records: impl IntoIterator<Item = Record>, now: Timestamp) -> Vec<Job> {
        let mut next_anomaly = 1;
        for record in records {
            match record {
                Record::Incident(incident) => {
                    self.world.incidents.insert(incident.id, Arc::new(incident));
                }
                Record::Anomaly(anomaly) => {
                    next_anomaly = next_anomaly.max(anomaly.id.0 + 1);
                    self.detection.restore_anomaly(&anomaly);
                    self.world.anomalies.insert(anomaly.id, Arc::new(anomaly));
                }
                Record::Alert(alert) => {
                    self.world.alerts.insert(alert.notice.fingerprint, Arc::new(alert));
                }
                Record::Change(change) => {
                    self.next_change = self.next_change.max(change.id.0 + 1);
                    self.tell_detection(&change);
                    self.world.changes.insert(change.id, Arc::new(change));
                }
                Record::Run(run) => {
                    self.next_run = self.next_run.max(run.id.0 + 1);
                    self.world.runs.insert(run.id, Arc::new(run));
                }
                Record::Audit(entry) => self.audit.restore(entry),
                Record::Series(state) => self.detection.restore_series(state),
                Record::Topology(topology) => self.world.topology = Arc::new(topology),
                Record::Templates(bytes) => {
                    if let Err(problem) = self.detection.restore_templates(&bytes) {
                        // What the store itself has to tell weighs more.
                        let told = || Arc::from(format!("log templates were not read back: {problem}"));
                        self.store.problem.get_or_insert_with(told);
                    }
                }
                Record::Relations { of, bytes } => self.restore_relations(of, &bytes),
                Record::Setting { name, value } => {
                    let is_taken = self.restore_safety(&name, &value)
                        || self.restore_remedies(&name, &value)
                        || self.restore_wheels(&name, &value)
                        || self.restore_last_here(&name, &value)
                        || self.restore_samples(&name, &value);
                    if !is_taken {
                        self.restore_learned(&name, &value);
                    }
                }
                // These belong to the drivers: sources read their cursors, and what is gone is not there.
                Record::BackfillCursor { .. } | Record::SeriesGone(_) | Record::DeliveryGone(_) => {}
                Record::Delivery(delivery) => self.outbox.restore(delivery),
                Record::Document(document) => self.restore_document(document),
                Record::Rollout(kept) => self.restore_rollout(kept),
                Record::PatchException(exception) => self.restore_exception(exception),
                Record::PastPage(page) => self.detection.restore_past(&page),
            }
        }
        self.detection.set_next_anomaly_id(next_anomaly);
        let begun_anew = self.detection.counts().begun_anew_series_count;
        self.tell_begun_anew(begun_anew, "were kept by an older version");
        self.correlator.restore(&self.world);
        self.has_changed = true;
        let mut turn = Turn::new(now);
        self.recover_runs(&mut turn);
        self.recover_rollouts(&mut turn);
        self.recover_deliveries(&mut turn);
        turn.into_jobs(&self.rollouts.kept)
    }

    /// Numbers from these on are free; called after [`Self::restore`]. What could not be read, or was lost, keeps its number.
    pub fn number_from(&mut self, next: NextNumbers) {
        self.next_change = self.next_change.max(next.change);
        self.next_run = self.next_run.max(next.run);
        self.rollouts.next = self.rollouts.next.max(next.rollout);
        self.detection.set_next_anomaly_id(next.anomaly);
        self.correlator.number_from(next.incident);
        self.audit.number_from(next.audit);
    }

    /// Takes one input; says what is to be done, in order.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Job> {
        let mut turn = Turn::new(now);
        match input {
            Input::Signal(signal) => self.take_signal(signal, &mut turn),
            Input::Tick => self.take_tick(&mut turn),
            Input::Request { id, by, request } => self.take_request(id, &by, &request.redacted(), &mut turn),
            Input::Step(report) => self.take_step_report(&report, &mut turn),
            Input::Delivered(report) => self.take_delivery_report(&report, &mut turn),
            Input::Present(here) => self.take_present(&here, &mut turn),
            Input::Kill(word) => self.take_kill_word(&word, &mut turn),
            Input::Runbooks(own) => self.take_runbooks(&own),
            Input::Patches(found) => self.take_patches(found),
            Input::Need { asked, found } => self.take_need(&asked, found, &mut turn),
            Input::AssetSeen { look, found } => self.take_asset_seen(&look, found, &mut turn),
            Input::LetGo(text) => self.record(&mut turn, AuditKind::Decision, ENGINE, About::default(), &text),
        }
        turn.into_jobs(&self.rollouts.kept)
    }

    /// The stages after detection, in order, and what else happens once a tick.
    fn take_tick(&mut self, turn: &mut Turn) {
        self.detect_by_time(turn);
        self.mark_expected_noise(turn);
        self.correlate(turn);
        self.look_for_precursors(turn);
        self.find_causes(turn);
        self.propose_runbooks(turn.now);
        self.begin_by_itself(turn);
        self.pass_wheels(turn);
        self.watch_runs(turn);
        self.watch_rollouts(turn);
        self.look_at_autonomy(turn.now);
        self.tell_outside(turn);
        self.forget_old(turn);
        self.keep_series(turn);
    }

    /// What fits is looked for anew; runs keep the text that they began with.
    fn take_runbooks(&mut self, own: &RunbookFiles) {
        self.library.take_own(own);
        self.runbook_pages = Arc::new(self.library.told());
        self.proposals.clear();
        self.has_changed = true;
    }

    /// The queue is made outside: it reads whole feeds, and nothing of incidents follows from it.
    fn take_patches(&mut self, found: Arc<PatchPicture>) {
        self.has_changed |= *self.patches != *found;
        self.patches = found;
    }

    fn mode(&self) -> AutonomyMode {
        if self.settings.runbooks.observe_only { AutonomyMode::Observe } else { self.settings.policy.mode }
    }
}
