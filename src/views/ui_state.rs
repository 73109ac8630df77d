//! What the screen remembers between two frames: the pane, the selections, the filters, the open overlay.
//!
//! Plain data. The console's core changes it; views only read it. Selections are held by what the row *is*, not by its
//! number, so that they survive every refresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::talk::Talk;
use crate::engine::clock::Timestamp;
use crate::engine::model::{AnomalyId, ChangeId, IncidentId, RolloutId, RunId, ServiceName};
use crate::engine::snapshot::patches::Grouping;

/// The panes, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pane {
    /// Is something broken?
    #[default]
    Now,
    /// The live table of anomalies.
    Anomalies,
    /// One incident: cause, evidence, timeline.
    Incident,
    /// The dependency chain.
    Chain,
    /// One step at a time.
    Runbook,
    /// What must be patched.
    Patches,
    /// Questions in plain words.
    Ask,
    /// The audit log and every change.
    Log,
}

impl Pane {
    /// Every pane, in order.
    pub const ALL: [Self; 8] =
        [Self::Now, Self::Anomalies, Self::Incident, Self::Chain, Self::Runbook, Self::Patches, Self::Ask, Self::Log];

    /// True where the newest row is the last one: a pane on which nothing is selected shows that row and follows it.
    #[must_use]
    pub fn starts_at_end(self) -> bool {
        self == Self::Incident
    }

    /// Its title in the tab line.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Anomalies => "Anomalies",
            Self::Incident => "Incident",
            Self::Chain => "Chain",
            Self::Runbook => "Runbook",
            Self::Patches => "Patches",
            Self::Ask => "Ask",
            Self::Log => "Log",
        }
    }
}

/// What the pane Patches shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchView {
    /// What must be patched.
    #[default]
    Queue,
    /// Every rollout.
    Rollouts,
    /// One of them.
    Board(RolloutId),
    /// Windows and freezes.
    Calendar,
}

/// What a row of a list is about; stays the same from picture to picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKey {
    /// An incident.
    Incident(IncidentId),
    /// A warning that signs of a past incident are here again.
    Warning(IncidentId),
    /// An anomaly.
    Anomaly(AnomalyId),
    /// A source, by name.
    Source(Arc<str>),
    /// A service.
    Service(ServiceName),
    /// Line of an incident's timeline: its time and its number among those of the same time.
    Timeline(i64, u32),
    /// A step of a run or of a proposal, by index.
    Step(usize),
    /// A proposed runbook, by id.
    Proposal(Arc<str>),
    /// An audit entry, by sequence number.
    Audit(u64),
    /// A change.
    Change(ChangeId),
    /// A piece of evidence: hypothesis index, true for evidence for, index.
    Evidence(usize, bool, usize),
    /// Patches past their deadline, all together.
    OverduePatches,
    /// A patch, by its key.
    Patch(Arc<str>),
    /// Patches of one asset, advisory, ring or owner, by its name.
    PatchGroup(Grouping, Arc<str>),
    /// What of assets could not be checked, by the reason.
    PatchGap(Arc<str>),
    /// An exception from patches, by its number.
    PatchException(u64),
    /// An asset that runs something older than what is installed.
    Unbooted(Arc<str>),
    /// A rollout.
    Rollout(RolloutId),
    /// A target of a rollout, or who is left out of it, by name.
    RolloutTarget(RolloutId, Arc<str>),
    /// Line of a plan that is no target's, by its place.
    PlanLine(usize),
    /// A window or freeze, by its first instant and its name.
    Occasion(i64, Arc<str>),
    /// A question that was asked, by its number.
    Asked(u64),
    /// A claim of the answer to it, by its place there.
    Claim(u64, usize),
    /// A line of what a language model said to it, by its place there.
    Said(u64, usize),
    /// A question that may be asked.
    Next(Arc<str>),
    /// A file that could not be read, by its place among them; the list stays the same while the program runs.
    File(usize),
}

/// One list's selection, scroll and filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListState {
    /// The selected row; `None` selects the first, or the last in a pane that [starts at the end](Pane::starts_at_end).
    pub selected: Option<RowKey>,
    /// Where the selected row was when it was last seen, so that the neighbour takes over when it goes. As
    /// [`UiState::list`] gives it: the row to take where nothing is selected, too.
    pub last_index: usize,
    /// First row on the screen; views clamp it so that the selection is visible.
    pub offset: usize,
    /// Only rows that contain this (case-insensitively, words in any order) are listed; `!word` leaves rows out.
    pub filter: String,
}

/// A question that a key which changes the world asks first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Confirmation {
    /// Above the question: whether the world changes, or only what is recorded of it.
    pub heading: &'static str,
    /// What will happen, to what, with what reach: one sentence.
    pub question: String,
    /// The exact command, argument by argument, where there is one.
    pub argv: Vec<Arc<str>>,
    /// The name to type where it cannot be undone; `None` asks for `y`.
    pub typed_target: Option<String>,
    /// What stands before a line of free text, such as `Reason: `, where the answer is one; Enter sends it.
    pub line: Option<&'static str>,
    /// What has been typed so far.
    pub typed: String,
    /// Where the cursor is in it, in characters.
    pub cursor: usize,
}

impl Confirmation {
    /// What has been typed, before the cursor and after it.
    #[must_use]
    pub fn around_cursor(&self) -> (&str, &str) {
        let at = self.typed.char_indices().nth(self.cursor).map_or(self.typed.len(), |(at, _)| at);
        self.typed.split_at(at)
    }
}

/// What is written in the box for texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// A note for the timeline.
    #[default]
    Note,
    /// A status update for stakeholders.
    Update,
    /// The post-mortem.
    PostMortem,
    /// A draft of a runbook page.
    Draft,
}

impl Written {
    /// What it is called within a sentence.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Update => "status update",
            Self::PostMortem => "post-mortem",
            Self::Draft => "draft of a runbook",
        }
    }
}

/// What happened while somebody was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Until when everything was seen.
    pub since: Timestamp,
    /// The picture that it is told from.
    pub until: Timestamp,
    /// A line each.
    pub happened: Vec<String>,
}

/// A text that was begun and not sent, as it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// For which incident.
    pub incident: IncidentId,
    /// What kind of text.
    pub what: Written,
    /// Its lines.
    pub lines: Vec<String>,
    /// When it was last written at.
    pub at: Timestamp,
}

/// The one thing drawn over the panes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// Help for this pane; runs what it lists.
    Help {
        /// Selected line.
        selected: usize,
    },
    /// The command palette.
    Palette {
        /// What was typed.
        input: String,
        /// Selected match.
        selected: usize,
    },
    /// The filter line of the pane is being typed.
    Filter,
    /// A question is being typed; it is in [`UiState::talk`].
    Asking,
    /// What a line of an answer rests on.
    Sources {
        /// Which line.
        row: RowKey,
        /// Selected source.
        selected: usize,
    },
    /// A text is being written; it is in `ViewContext::note`.
    Note {
        /// For which incident.
        incident: IncidentId,
        /// What kind of text.
        what: Written,
    },
    /// The first of [`UiState::unsent`] is offered.
    Unsent,
    /// A question.
    Confirm(Confirmation),
    /// Evidence for and against the hypotheses.
    Evidence {
        /// Selected hypothesis.
        hypothesis: usize,
        /// First line shown.
        offset: usize,
    },
    /// Everything known of one anomaly: value, band, history, rule.
    Why {
        /// Which.
        anomaly: AnomalyId,
        /// First line shown.
        offset: usize,
    },
    /// Rules learnt for what never matters.
    Habits {
        /// First line shown.
        offset: usize,
    },
    /// What may begin by itself, and what holds it back.
    Policy {
        /// First line shown.
        offset: usize,
    },
    /// Who is attached.
    People {
        /// First line shown.
        offset: usize,
    },
    /// What happened while this person was away.
    Away {
        /// That.
        away: Away,
        /// First line shown.
        offset: usize,
    },
    /// The whole of a row: an audit entry, a change, what is wrong with a file, a patch.
    Entry {
        /// Which.
        row: RowKey,
        /// First line shown.
        offset: usize,
    },
}

impl Overlay {
    /// True for a box over the pane, which names its keys on its own edge.
    #[must_use]
    pub fn is_box(&self) -> bool {
        !matches!(self, Self::None | Self::Filter | Self::Asking)
    }
}

/// A short message about the console itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The message.
    pub text: String,
    /// True for refusals and errors.
    pub is_problem: bool,
}

/// That the engine is not heard any more, so that what is shown grows old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheard {
    /// For how long.
    pub ms: i64,
    /// Why the line to it is lost; `None` where there is one, and nothing comes.
    pub why: Option<Arc<str>>,
}

/// Everything the screen remembers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UiState {
    /// Who sits here, as the engine knows the person; empty before that is known.
    pub me: Arc<str>,
    /// The pane on the screen.
    pub pane: Pane,
    /// Panes to go back to with Esc.
    pub back: Vec<Pane>,
    /// Selection, scroll and filter of each pane.
    pub lists: BTreeMap<Pane, ListState>,
    /// The incident that Incident, Chain and Runbook speak of; the worst live one where `None`.
    pub incident: Option<IncidentId>,
    /// The run that Runbook shows; the newest of the incident where `None`.
    pub run: Option<RunId>,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// The message line.
    pub notice: Option<Notice>,
    /// True lists suppressed anomalies too, with their reasons.
    pub shows_suppressed: bool,
    /// By what the queue of patches is grouped.
    pub patch_grouping: Grouping,
    /// What the pane Patches shows.
    pub patch_view: PatchView,
    /// Selection, scroll and filter of its views that are not on the screen.
    pub patch_lists: BTreeMap<PatchView, ListState>,
    /// What was asked in plain words, and what is being asked.
    pub talk: Talk,
    /// Texts that an earlier console left behind, and that are still to be offered.
    pub unsent: Vec<Unsent>,
    /// First line of the runbook's output shown, from its end: 0 follows.
    pub output_scroll: usize,
    /// Set while the engine is not heard.
    pub unheard: Option<Unheard>,
    /// True where keys that change the world are taken away.
    pub is_read_only: bool,
    /// True while the picture is held still.
    pub is_frozen: bool,
    /// What must not be overlooked of the pictures that came since it was.
    pub meanwhile: Option<Arc<str>>,
    /// Keys of a sequence begun, as a person reads them; empty where none is.
    pub pending: String,
}

impl UiState {
    /// The list state of the pane on the screen.
    #[must_use]
    pub fn list(&self) -> ListState {
        let mut list = self.lists.get(&self.pane).cloned().unwrap_or_default();
        if list.selected.is_none() {
            list.last_index = if self.pane.starts_at_end() { usize::MAX } else { 0 };
        }
        list
    }
}
