//! Everything the console remembers. Changed by [`super::update`] only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use tui_textarea::TextArea;

use super::away::AwayWatch;
use super::commands::Command;
use super::key::Key;
use super::keymap::Keymap;
use super::left_off::Place;
use super::offered::Offered;
use super::palette::Palette;
use super::picture;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{Incident, IncidentId, Role, Run};
use crate::engine::request::Request;
use crate::engine::snapshot::{FileProblem, Snapshot};
use crate::views::context::KeyHint;
use crate::views::ui_state::{Away, Confirmation, ListState, Notice, Overlay, RowKey, UiState, Written};

/// A message has been read after so long; the keys come back.
const NOTICE_MS: i64 = 10_000;
/// A sequence of keys waits so long for its next one.
const PENDING_MS: i64 = 1_500;

/// How what was being typed came to its end before the hand had rested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOver {
    /// The note was sent.
    Sent,
    /// The question went, as what it asked about had changed.
    Withdrawn {
        /// Whether something was typed at it, which can be brought back.
        is_kept: bool,
    },
}

/// What a question is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Send this request.
    Request(Request),
    /// End the console.
    Leave,
}

/// The question on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What `y` does.
    pub asked: Asked,
    /// What was offered when it was asked; when that changes, the question is withdrawn.
    pub offered: Offered,
    /// When it was asked.
    pub at: Timestamp,
}

impl Question {
    /// True where its answer acts by what is shown: leaving does not, and stopping everything is right whatever is shown.
    #[must_use]
    pub fn is_act(&self) -> bool {
        !matches!(self.asked, Asked::Leave | Asked::Request(Request::Kill { .. }))
    }
}

/// Everything the console remembers.
#[derive(Debug, Clone)]
pub struct AppState {
    /// True where the message line was written since the last message came in.
    pub is_notice_new: bool,
    /// When the message line was last written.
    pub notice_at: Timestamp,
    /// True where the message line is about the step on offer, and is of no use once that has changed.
    pub is_notice_of_step: bool,
    /// What views see.
    pub ui: UiState,
    /// The picture on the screen.
    pub snapshot: Arc<Snapshot>,
    /// When it came, by the console's clock.
    pub arrived_at: Timestamp,
    /// Since when the engine is not heard, where it is not.
    pub unheard_since: Option<Timestamp>,
    /// The newest picture while the screen is frozen.
    pub held: Option<Arc<Snapshot>>,
    /// Which keys give which command.
    pub keymap: Keymap,
    /// Keys of a sequence begun.
    pub pending: Vec<Key>,
    /// When the last of them was pressed.
    pub pending_at: Timestamp,
    /// The note being written.
    pub note: Option<TextArea<'static>>,
    /// What is typed at a question, as it is edited.
    pub answer: TextArea<'static>,
    /// True where the prompt of Ask has the keys whenever that pane is on the screen and nothing lies over it.
    pub is_prompt_on: bool,
    /// The question that is being typed, as it is edited.
    pub prompt: TextArea<'static>,
    /// Names that a question may speak of.
    pub names: Vec<Arc<str>>,
    /// Which earlier question is in the prompt; `None` for one of its own.
    pub history_at: Option<usize>,
    /// What was typed before an earlier question was looked at.
    pub begun: String,
    /// In which zone questions are asked and answered.
    pub zone: Tz,
    /// When what was being typed was over, or a key pressed right after it was last held back, and how it came to be over.
    pub text_over: Option<(Timestamp, TextOver)>,
    /// True where the engine is another process, and goes on when the console is left.
    pub goes_on: bool,
    /// Texts begun and not sent, by incident and kind.
    pub drafts: BTreeMap<(IncidentId, Written), Vec<String>>,
    /// When drafts were last sent.
    pub sent_at: BTreeMap<(IncidentId, Written), Timestamp>,
    /// Those of which it is not known whether they were taken.
    pub unsure: BTreeSet<(IncidentId, Written)>,
    /// Where an earlier console was, until there is a picture to look for it in.
    pub left_place: Option<Place>,
    /// True where texts outlive the console.
    pub is_left_kept: bool,
    /// True once texts that an earlier console left were put off.
    pub is_unsent_put_off: bool,
    /// Since when one of them is offered.
    pub unsent_at: Timestamp,
    /// The text being written as it was when its box opened: unchanged, it is no draft.
    pub note_begun: Vec<String>,
    /// The incident that is to become a part of another, once that is chosen.
    pub to_merge: Option<IncidentId>,
    /// What the palette lists while it is open.
    pub palette: Palette,
    /// Keys of what is on the screen, most useful first.
    pub hints: Vec<KeyHint>,
    /// The command of each hint.
    pub hint_commands: Vec<Command>,
    /// The filter before it was typed at, to go back to.
    pub filter_before: String,
    /// The filter last taken or cleared, to bring back.
    pub filter_last: String,
    /// What was typed at a question that was withdrawn, or for what was not done, to bring back.
    pub typed_last: String,
    /// What was typed for the request that is not answered yet.
    pub typed_sent: Option<(Request, String)>,
    /// The question on the screen.
    pub question: Option<Question>,
    /// True once a frame has shown all of it: only then is it answered with yes.
    pub is_question_whole: bool,
    /// What keys that act would act on.
    pub offered: Offered,
    /// When a refresh last changed it.
    pub offered_at: Timestamp,
    /// Rows of a page, as last drawn.
    pub page_rows: usize,
    /// When Ctrl-C was last pressed.
    pub interrupted_at: Option<Timestamp>,
    /// Whether something happened while nobody saw it here.
    pub away: AwayWatch,
    /// What is to be told of that, once nothing lies over the panes.
    pub to_tell: Option<Away>,
    /// The source package whose rollout was planned and is not in the picture yet.
    pub planned: Option<Arc<str>>,
    /// True while clicks come through.
    pub is_mouse_on: bool,
    /// Keymaps and themes that could not be read; shown beside the engine's own.
    pub file_problems: Vec<FileProblem>,
}

impl AppState {
    /// Before anything has happened.
    #[must_use]
    pub fn new(keymap: Keymap, is_read_only: bool, file_problems: Vec<FileProblem>) -> Self {
        let mut snapshot = Snapshot::empty();
        snapshot.file_problems.clone_from(&file_problems);
        let mut state = Self {
            is_notice_new: false,
            notice_at: Timestamp::default(),
            is_notice_of_step: false,
            ui: UiState { is_read_only, ..UiState::default() },
            snapshot: Arc::new(snapshot),
            arrived_at: Timestamp::default(),
            unheard_since: None,
            held: None,
            keymap,
            pending: Vec::new(),
            pending_at: Timestamp::default(),
            note: None,
            is_prompt_on: false,
            prompt: TextArea::default(),
            answer: TextArea::default(),
            names: Vec::new(),
            history_at: None,
            begun: String::new(),
            zone: Tz::UTC,
            text_over: None,
            goes_on: false,
            drafts: BTreeMap::new(),
            sent_at: BTreeMap::new(),
            unsure: BTreeSet::new(),
            left_place: None,
            is_left_kept: false,
            is_unsent_put_off: false,
            unsent_at: Timestamp::default(),
            note_begun: Vec::new(),
            to_merge: None,
            palette: Palette::default(),
            hints: Vec::new(),
            hint_commands: Vec::new(),
            filter_before: String::new(),
            filter_last: String::new(),
            typed_last: String::new(),
            typed_sent: None,
            question: None,
            is_question_whole: false,
            offered: Offered::default(),
            offered_at: Timestamp::default(),
            page_rows: 10,
            interrupted_at: None,
            away: AwayWatch::default(),
            to_tell: None,
            planned: None,
            is_mouse_on: false,
            file_problems,
        };
        super::hints::refresh(&mut state);
        state
    }

    /// The rows of the pane on the screen.
    #[must_use]
    pub fn rows(&self) -> Vec<RowKey> {
        picture::rows(self.ui.pane, &self.snapshot, &self.ui)
    }

    /// The list of the pane on the screen, to change.
    pub fn list_mut(&mut self) -> &mut ListState {
        self.ui.lists.entry(self.ui.pane).or_default()
    }

    /// The selected row and its index: the one chosen, else the one that took its place, else the
    /// first, or the last in a pane that starts at its end.
    #[must_use]
    pub fn selected(&self) -> Option<(usize, RowKey)> {
        let list = self.ui.list();
        let rows = self.rows();
        let chosen = list.selected.as_ref().and_then(|key| rows.iter().position(|row| row == key));
        let index = chosen.unwrap_or(list.last_index.min(rows.len().saturating_sub(1)));
        rows.get(index).map(|row| (index, row.clone()))
    }

    /// Selects a row of the pane on the screen.
    pub fn select(&mut self, index: usize, row: RowKey) {
        let list = self.list_mut();
        list.selected = Some(row);
        list.last_index = index;
    }

    /// The incident that commands of the pane on the screen are about.
    #[must_use]
    pub fn incident(&self) -> Option<&Arc<Incident>> {
        if self.ui.pane == crate::views::ui_state::Pane::Now {
            return match self.selected()?.1 {
                RowKey::Incident(id) => self.snapshot.incident(id),
                _ => None,
            };
        }
        picture::incident(&self.snapshot, &self.ui)
    }

    /// The run that Runbook shows.
    #[must_use]
    pub fn run(&self) -> Option<&Arc<Run>> {
        picture::run(&self.snapshot, &self.ui)
    }

    /// How much this person may ask for; `None` where the engine names nobody who is here.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.snapshot.present.iter().filter(|present| present.name == self.ui.me).map(|present| present.role).max()
    }

    /// Says something in the message line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.tell(&text.into(), false);
    }

    /// Says that something did not work, and what to do.
    pub fn refuse(&mut self, text: impl Into<String>) {
        self.tell(&text.into(), true);
    }

    fn tell(&mut self, text: &str, is_problem: bool) {
        // A note that is confirmed may have several lines; the message line has one.
        let text = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" · ");
        (self.is_notice_new, self.is_notice_of_step) = (true, false);
        self.ui.notice = Some(Notice { text, is_problem });
    }

    /// When [`super::message::Message::Due`] is next of use: when a message has been there for long enough, or a
    /// sequence of keys waits in vain.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let notice = self.ui.notice.is_some().then(|| self.notice_at + NOTICE_MS);
        let pending = (!self.pending.is_empty()).then(|| self.pending_at + PENDING_MS);
        let unheard = self.unheard_since.zip(self.ui.unheard.as_ref()).map(|(since, told)| since + next_age(told.ms));
        [notice, pending, unheard].into_iter().flatten().min()
    }

    /// Lets go of what was to go by itself by `now`.
    pub fn let_go(&mut self, now: Timestamp) {
        if now >= self.notice_at + NOTICE_MS {
            self.ui.notice = None;
        }
        if now >= self.pending_at + PENDING_MS {
            self.pending.clear();
        }
    }

    /// Counts on for how long the engine has not been heard.
    pub fn count_unheard(&mut self, now: Timestamp) {
        if let (Some(since), Some(unheard)) = (self.unheard_since, &mut self.ui.unheard) {
            unheard.ms = now.since_ms(since).max(0);
        }
    }

    /// True while keys type text.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        match &self.ui.overlay {
            Overlay::Palette { .. } | Overlay::Filter | Overlay::Asking | Overlay::Note { .. } => true,
            Overlay::Confirm(question) => question.typed_target.is_some() || question.line.is_some(),
            _ => false,
        }
    }

    /// The line that was typed and not taken: what stands at the question, else what was sent last, else what was kept.
    #[must_use]
    pub fn line_not_taken(&self) -> &str {
        match (&self.ui.overlay, &self.typed_sent) {
            (Overlay::Confirm(Confirmation { line: Some(_), typed, .. }), _) if !typed.trim().is_empty() => typed,
            (_, Some((_, sent))) => sent,
            _ => &self.typed_last,
        }
    }

    /// The time to count ages from: the engine's, moved on since the picture came, by whole minutes, so that an idle
    /// screen changes once a minute.
    #[must_use]
    pub fn view_now(&self, now: Timestamp) -> Timestamp {
        if self.snapshot.replay.is_some() {
            // What was recorded grows older by what was recorded after it, not by our own clock.
            return self.held.as_ref().unwrap_or(&self.snapshot).at;
        }
        let at = self.snapshot.at + now.since_ms(self.arrived_at).max(0);
        let minute = Timestamp(at.0.div_euclid(MINUTE_MS) * MINUTE_MS);
        // Nothing on the screen may lie in the future of its clock.
        minute.max(self.snapshot.at)
    }
}

/// The age after `ms` that is told otherwise: by the second in the first minute, by the minute then.
fn next_age(ms: i64) -> i64 {
    let step = if ms < MINUTE_MS { SECOND_MS } else { MINUTE_MS };
    (ms.div_euclid(step) + 1) * step
}
