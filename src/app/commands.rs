//! The one table of what can be done: it feeds keys, palette, help and the key table of the README.
//!
//! A key names a command, a command names what happens. Danger is data: read-only mode and the guard against hasty keys
//! look at it, nothing else decides what acts.

use crate::views::ui_state::Pane;

/// How far a command reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// Looks only.
    Observes,
    /// Changes what the engine keeps of an incident or a patch.
    Incident,
    /// Can change the systems.
    World,
}

/// Where a command can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In these panes.
    Panes(&'static [Pane]),
    /// While text is typed.
    Prompt,
    /// While a note is written.
    Note,
    /// While a question in plain words is typed.
    Asking,
    /// While a question is asked.
    Confirm,
    /// While a text is offered that was not sent.
    Offer,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is described, once, by its row in the table")]
pub enum Command {
    Pane(Pane),
    NextPane,
    PreviousPane,
    MoveDown,
    MoveUp,
    HalfPageDown,
    HalfPageUp,
    PageDown,
    PageUp,
    MoveTop,
    MoveBottom,
    Open,
    Back,
    Quit,
    Leave,
    Filter,
    Palette,
    Help,
    Evidence,
    Why,
    Suppressed,
    Habits,
    Copy,
    Mouse,
    Freeze,
    Redraw,
    Suspend,
    OutputUp,
    OutputDown,
    ChainLeft,
    ChainRight,
    ChainUp,
    ChainDown,
    Acknowledge,
    Own,
    Note,
    SeverityUp,
    SeverityDown,
    Mitigate,
    Resolve,
    Reopen,
    StatusUpdate,
    PostMortem,
    CauseRight,
    CauseWrong,
    Merge,
    SplitOff,
    SetAside,
    Approve,
    Skip,
    DryRun,
    Stop,
    Happened,
    NotHappened,
    Probe,
    Retry,
    RunFrom,
    Resume,
    EditRun,
    Undo,
    Wheel,
    KeepWheel,
    TakeWheel,
    HandOver,
    People,
    Kill,
    Policy,
    GroupPatches,
    DeferPatch,
    AcceptRisk,
    WithdrawException,
    PatchView,
    PlanRollout,
    ApproveRollout,
    HoldRollout,
    StopRollout,
    RollBack,
    SkipTarget,
    AnswerYes,
    AnswerNo,
    ShortenSoak,
    ResetBreaker,
    Ask,
    AskModel,
    NoteAnswer,
    DraftRunbook,
    Complete,
    EarlierQuestion,
    LaterQuestion,
    Submit,
    SaveNote,
    NewLine,
    Cancel,
    PromptUp,
    PromptDown,
    DeleteChar,
    DeleteWord,
    DeleteLine,
    Yes,
    No,
    GoOnWriting,
    DropText,
    PutOffText,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct CommandInfo {
    /// What happens.
    pub command: Command,
    /// Its name in keymaps.
    pub name: &'static str,
    /// Its name in the palette and in help: imperative, short.
    pub title: &'static str,
    /// One word, for the bottom line.
    pub short: &'static str,
    /// A sentence, for help.
    pub help: &'static str,
    /// Where it can be given.
    pub scope: Scope,
    /// How far it reaches.
    pub danger: Danger,
}

const EVERY: Scope = Scope::Panes(&Pane::ALL);
const LISTS: Scope =
    Scope::Panes(&[Pane::Now, Pane::Anomalies, Pane::Incident, Pane::Runbook, Pane::Patches, Pane::Ask, Pane::Log]);
const ANOMALIES: Scope = Scope::Panes(&[Pane::Now, Pane::Anomalies, Pane::Incident]);
const OF_INCIDENT: Scope = Scope::Panes(&[Pane::Now, Pane::Incident, Pane::Chain, Pane::Runbook]);
const WALKING: Scope = Scope::Panes(&[Pane::Incident, Pane::Runbook]);
const CHAIN: Scope = Scope::Panes(&[Pane::Chain]);
const RUNBOOK: Scope = Scope::Panes(&[Pane::Runbook]);
const PATCHES: Scope = Scope::Panes(&[Pane::Patches]);
const ASK: Scope = Scope::Panes(&[Pane::Ask]);
/// Panes whose rows a filter leaves out; a conversation is read as a whole.
const FILTERED: Scope =
    Scope::Panes(&[Pane::Now, Pane::Anomalies, Pane::Incident, Pane::Runbook, Pane::Patches, Pane::Log]);

const fn row(
    command: Command,
    name: &'static str,
    title: &'static str,
    short: &'static str,
    help: &'static str,
    scope: Scope,
    danger: Danger,
) -> CommandInfo {
    CommandInfo { command, name, title, short, help, scope, danger }
}

use Command as C;
use Danger::{Incident, Observes, World};

/// Every command, most useful first.
#[rustfmt::skip]
pub const COMMANDS: &[CommandInfo] = &[
    row(C::Approve, "approve", "Approve the next step", "approve", "Starts the runbook that fits best; in Runbook, runs the step that is offered", WALKING, World),
    row(C::Skip, "skip", "Skip the step", "skip", "Passes the offered step over; the log says by whom", RUNBOOK, World),
    row(C::DryRun, "dry-run", "Dry run the step", "dry run", "Shows the effect of the offered step without having it", RUNBOOK, World),
    row(C::Stop, "stop", "Stop and escalate", "stop", "Ends the run; a running command is stopped; with a reason it is handed over to whoever is next in line", RUNBOOK, World),
    row(C::Retry, "retry", "Retry the step", "retry", "Offers the step that failed, or the selected one, once more", RUNBOOK, World),
    row(C::Undo, "undo", "Take the step back", "undo", "Runs the way back of the selected step, or of the last act", RUNBOOK, World),
    row(C::Resume, "resume", "Go on after a pause", "go on", "Says that what the run paused at was looked at", RUNBOOK, World),
    row(C::RunFrom, "run-from", "Run from the selected step", "from here", "Goes on with the selected step; those between are passed over", RUNBOOK, World),
    row(C::EditRun, "edit", "Edit the values", "edit", "Gives the run other values; what is offered asks again", RUNBOOK, World),
    row(C::Probe, "probe", "Look whether it happened", "probe", "Runs the probe of the interrupted step; it only looks", RUNBOOK, World),
    row(C::Happened, "happened", "Settle: it happened", "happened", "Says that the interrupted step took effect", RUNBOOK, World),
    row(C::NotHappened, "not-happened", "Settle: it did not happen", "not happened", "Says that the interrupted step took no effect", RUNBOOK, World),
    row(C::Wheel, "wheel", "Ask for the wheel, or give it", "wheel", "Asks whoever drives the run for the wheel, which is yours after a minute without an answer; where you drive, gives it to who asked or whom you name", RUNBOOK, Incident),
    row(C::KeepWheel, "keep-wheel", "Keep the wheel", "keep wheel", "Answers whoever asked for the wheel that you go on driving", RUNBOOK, Incident),
    row(C::TakeWheel, "take-wheel", "Take the wheel", "take wheel", "Takes the wheel from a driver who is gone or did not answer; a commander takes it at once", RUNBOOK, Incident),
    row(C::Kill, "kill", "Kill switch", "kill switch", "Stops everything at once: nothing begins, running steps are told to stop; given again, takes it off with a reason", EVERY, World),
    row(C::Policy, "policy", "Show what may begin by itself", "policy", "Mode, kill switch, circuit breaker, change freezes, silent trials", EVERY, Observes),
    row(C::People, "people", "Show who is here", "people", "Who is attached, since when, what they look at and which runs they drive", EVERY, Observes),
    row(C::HandOver, "hand-over", "Hand over", "hand over", "Ends your shift: your incidents, those without an owner and your wheels pass to somebody else, with a note in each timeline", EVERY, Incident),
    row(C::ResetBreaker, "reset-breaker", "Reset the circuit breaker", "reset", "Says that the failures that opened it were looked at", EVERY, World),
    row(C::Evidence, "evidence", "Show the evidence", "evidence", "What speaks for and against each hypothesis", OF_INCIDENT, Observes),
    row(C::Acknowledge, "acknowledge", "Acknowledge the incident", "acknowledge", "Takes responsibility: stops escalation, not detection", OF_INCIDENT, Incident),
    row(C::Own, "own", "Own the incident", "own", "Makes you the owner", OF_INCIDENT, Incident),
    row(C::Note, "note", "Write a note", "note", "Writes a note for the timeline; the box says which key saves it and which keeps it as a draft", OF_INCIDENT, Incident),
    row(C::Why, "why", "Why is it an anomaly?", "why", "What was seen, what was expected, from which history, by which rule", ANOMALIES, Observes),
    row(C::Suppressed, "suppressed", "Show or hide what is suppressed", "suppressed", "Lists suppressed anomalies too, each with its reason", ANOMALIES, Observes),
    row(C::Habits, "habits", "Show what was learnt to set aside", "habits", "Lists rules for what never matters: in force, in shadow, withdrawn", ANOMALIES, Observes),
    row(C::SetAside, "set-aside", "Set the anomaly aside", "set aside", "Takes the anomaly off the list; it stays within reach with this reason", Scope::Panes(&[Pane::Anomalies]), Incident),
    row(C::SeverityUp, "severity-up", "Raise the severity", "worse", "Makes the incident one level worse; the engine leaves it alone from then on", OF_INCIDENT, Incident),
    row(C::SeverityDown, "severity-down", "Lower the severity", "milder", "Makes the incident one level milder; the engine leaves it alone from then on", OF_INCIDENT, Incident),
    row(C::Mitigate, "mitigate", "Mark as mitigated", "mitigated", "Says that the harm has stopped", OF_INCIDENT, Incident),
    row(C::Resolve, "resolve", "Mark as resolved", "resolved", "Says that the incident is over", OF_INCIDENT, Incident),
    row(C::Reopen, "reopen", "Reopen the incident", "reopen", "Says that it is not over", OF_INCIDENT, Incident),
    row(C::StatusUpdate, "status-update", "Send a status update", "update", "Drafts what stakeholders are told; saved, it goes into the timeline and outside", OF_INCIDENT, Incident),
    row(C::PostMortem, "post-mortem", "Write the post-mortem", "post-mortem", "Opens the post-mortem: the text that was saved, or the draft that the record gives", OF_INCIDENT, Incident),
    row(C::GroupPatches, "group-patches", "Group the patches", "group by", "Goes through the groupings: by patch, asset, advisory, ring, owner", PATCHES, Observes),
    row(C::ApproveRollout, "approve-rollout", "Approve the rollout", "approve", "Begins the rollout by the plan that is shown; from then on it goes on by itself", PATCHES, World),
    row(C::PlanRollout, "plan-rollout", "Plan the rollout of the patch", "roll out", "Plans who gets the selected patch, in which order; nothing begins before the plan is approved", PATCHES, Incident),
    row(C::HoldRollout, "hold-rollout", "Pause the rollout, or go on", "pause/go on", "Begins nothing any more until the same key lets it go on, each with a reason", PATCHES, World),
    row(C::AnswerYes, "answer-yes", "Answer: it is there, it is good", "yes", "Says that the selected target has the new version, or that its health or that of the soak is good enough", PATCHES, World),
    row(C::AnswerNo, "answer-no", "Answer: it is not", "no", "Says that the selected target has the old version, or that health is not good enough, which takes everything back", PATCHES, World),
    row(C::SkipTarget, "skip-target", "Leave the target out", "leave out", "Leaves the selected target out, or gives up on taking it back", PATCHES, World),
    row(C::ShortenSoak, "shorten-soak", "Shorten the soak", "shorten soak", "Lets the soak end sooner, with a reason; health is compared all the same", PATCHES, World),
    row(C::StopRollout, "stop-rollout", "Stop the rollout", "stop", "Begins nothing any more; what is patched stays so", PATCHES, World),
    row(C::RollBack, "roll-back", "Roll back", "roll back", "Takes the patch back everywhere, the newest target first, also outside of windows", PATCHES, World),
    row(C::PatchView, "patch-view", "Queue, rollouts or calendar", "view", "Goes through the views: the queue, the rollouts, windows and freezes", PATCHES, Observes),
    row(C::DeferPatch, "defer-patch", "Defer the patch", "defer", "Puts the selected patch or vulnerability off until a date, with a reason; it comes back with the deadline it had", PATCHES, Incident),
    row(C::AcceptRisk, "accept-risk", "Accept the risk", "accept risk", "Takes the selected patch or vulnerability out of the queue until a date, with a reason and an owner", PATCHES, Incident),
    row(C::WithdrawException, "withdraw-exception", "Withdraw the exception", "withdraw", "Ends the selected exception before its time", PATCHES, Incident),
    row(C::Ask, "ask", "Ask a question", "ask", "Puts the cursor into the prompt, which has the keys until Esc; Enter on an empty line opens what is selected", ASK, Observes),
    row(C::NoteAnswer, "note-answer", "Save the answer as a note", "note", "Opens a note for the timeline with the question and its answer in it", ASK, Incident),
    row(C::DraftRunbook, "draft-runbook", "Draft a runbook of the answer", "draft", "Opens a runbook page made of what the answer proposes; saved, it is kept as a draft and nothing runs", ASK, Incident),
    row(C::Open, "open", "Open", "open", "Goes into what is selected", EVERY, Observes),
    row(C::Back, "back", "Back", "back", "Goes back one; nothing is lost", EVERY, Observes),
    row(C::Filter, "filter", "Filter the rows", "filter", "Lists only rows that contain these words; !word leaves rows out", FILTERED, Observes),
    row(C::Palette, "palette", "Command palette", "command", "Finds a command by a few of its letters and gives it", EVERY, Observes),
    row(C::Help, "help", "Help for this pane", "help", "Lists the keys of this pane and runs what it lists", EVERY, Observes),
    row(C::Copy, "copy", "Copy", "copy", "Copies what is selected to the clipboard of your terminal", EVERY, Observes),
    row(C::MoveDown, "move-down", "Down", "down", "Selects the next row", LISTS, Observes),
    row(C::MoveUp, "move-up", "Up", "up", "Selects the row before", LISTS, Observes),
    row(C::HalfPageDown, "half-page-down", "Half a page down", "down", "Half a page down", LISTS, Observes),
    row(C::HalfPageUp, "half-page-up", "Half a page up", "up", "Half a page up", LISTS, Observes),
    row(C::PageDown, "page-down", "A page down", "down", "A page down", LISTS, Observes),
    row(C::PageUp, "page-up", "A page up", "up", "A page up", LISTS, Observes),
    row(C::MoveTop, "move-top", "To the first row", "top", "Selects the first row", LISTS, Observes),
    row(C::MoveBottom, "move-bottom", "To the last row", "bottom", "Selects the last row", LISTS, Observes),
    row(C::ChainLeft, "chain-left", "To who calls it", "callers", "Moves against the calls", CHAIN, Observes),
    row(C::ChainRight, "chain-right", "To what it calls", "callees", "Moves along the calls", CHAIN, Observes),
    row(C::ChainUp, "chain-up", "To the service above", "up", "Moves within a layer", CHAIN, Observes),
    row(C::ChainDown, "chain-down", "To the service below", "down", "Moves within a layer", CHAIN, Observes),
    row(C::OutputUp, "output-up", "Scroll the output back", "output", "Shows earlier output of the step", RUNBOOK, Observes),
    row(C::OutputDown, "output-down", "Scroll the output on", "output", "Shows later output of the step", RUNBOOK, Observes),
    row(C::Pane(Pane::Now), "pane-now", "Go to Now", "Now", "Is something broken?", EVERY, Observes),
    row(C::Pane(Pane::Anomalies), "pane-anomalies", "Go to Anomalies", "Anomalies", "The live table of anomalies", EVERY, Observes),
    row(C::Pane(Pane::Incident), "pane-incident", "Go to Incident", "Incident", "One incident: cause, evidence, timeline", EVERY, Observes),
    row(C::Pane(Pane::Chain), "pane-chain", "Go to Chain", "Chain", "The dependency chain, its cause marked", EVERY, Observes),
    row(C::Pane(Pane::Runbook), "pane-runbook", "Go to Runbook", "Runbook", "One step at a time", EVERY, Observes),
    row(C::Pane(Pane::Patches), "pane-patches", "Go to Patches", "Patches", "What must be patched, why in this order, by when", EVERY, Observes),
    row(C::Pane(Pane::Ask), "pane-ask", "Go to Ask", "Ask", "Questions in plain words, answered with what the answer rests on", EVERY, Observes),
    row(C::Pane(Pane::Log), "pane-log", "Go to Log", "Log", "Who did what, when, and what came of it", EVERY, Observes),
    row(C::NextPane, "next-pane", "Next pane", "next", "Goes to the pane to the right", EVERY, Observes),
    row(C::PreviousPane, "previous-pane", "Pane before", "before", "Goes to the pane to the left", EVERY, Observes),
    row(C::CauseRight, "cause-right", "The cause is right", "right", "Says that the cause that is named is the right one; confidences learn from it", Scope::Panes(&[Pane::Now, Pane::Incident, Pane::Chain]), Incident),
    row(C::CauseWrong, "cause-wrong", "The cause is wrong", "wrong", "Says that the cause that is named is not the right one; confidences learn from it", Scope::Panes(&[Pane::Now, Pane::Incident, Pane::Chain]), Incident),
    row(C::Merge, "merge", "Merge into another incident", "merge", "Marks the incident; given on another one, makes the marked a part of it, which is remembered", Scope::Panes(&[Pane::Now, Pane::Incident]), Incident),
    row(C::SplitOff, "split-off", "Split the service off", "split off", "Makes what the incident has on the selected service one of its own, which is remembered", Scope::Panes(&[Pane::Incident, Pane::Chain]), Incident),
    row(C::Freeze, "freeze", "Freeze or go on", "freeze", "Holds the picture still; the engine goes on", EVERY, Observes),
    row(C::Mouse, "mouse", "Mouse on or off", "mouse", "Lets clicks and the wheel through to the console; off leaves selecting to the terminal", EVERY, Observes),
    row(C::Redraw, "redraw", "Draw the screen again", "redraw", "Draws the whole screen again, should something have disturbed it", EVERY, Observes),
    row(C::Suspend, "suspend", "Suspend", "suspend", "Back to the shell; `fg` returns", EVERY, Observes),
    row(C::Quit, "quit", "Back, in the end nowhere", "back", "Goes back one, as Esc does", EVERY, Observes),
    row(C::Leave, "leave", "Leave", "leave", "Ends the console", EVERY, Observes),
    row(C::Complete, "complete", "Complete the word", "complete", "Puts the selected name in place of the word", Scope::Asking, Observes),
    row(C::Submit, "submit", "Take it", "take", "Takes what was typed", Scope::Prompt, Observes),
    row(C::SaveNote, "save-note", "Save the text", "save", "Writes a note into the timeline, sends an update, keeps a post-mortem", Scope::Note, Observes),
    row(C::NewLine, "new-line", "New line", "new line", "Begins a new line of the text", Scope::Note, Observes),
    row(C::Cancel, "cancel", "Back", "back", "Closes the line; a text is kept as a draft", Scope::Prompt, Observes),
    row(C::PromptUp, "prompt-up", "Match above", "up", "Selects the match above, in Ask the row above or an earlier question, or brings the last filter back", Scope::Prompt, Observes),
    row(C::PromptDown, "prompt-down", "Match below", "down", "Selects the match below", Scope::Prompt, Observes),
    row(C::DeleteChar, "delete-char", "Delete a character", "delete", "Deletes the character before", Scope::Prompt, Observes),
    row(C::DeleteWord, "delete-word", "Delete a word", "delete", "Deletes the word before", Scope::Prompt, Observes),
    row(C::DeleteLine, "delete-line", "Delete the line", "delete", "Deletes everything typed before", Scope::Prompt, Observes),
    row(C::AskModel, "ask-model", "Ask the model as well", "with model", "Asks the language model beside the answer, where `[ask.model]` has one; on an empty line, about the selected question", Scope::Asking, Observes),
    row(C::EarlierQuestion, "earlier-question", "The question before", "earlier", "Brings back what was asked before", Scope::Asking, Observes),
    row(C::LaterQuestion, "later-question", "The question after", "later", "Goes on to what was asked after that", Scope::Asking, Observes),
    row(C::Yes, "yes", "Yes", "yes", "Does what the question says", Scope::Confirm, Observes),
    row(C::No, "no", "No", "no", "Leaves everything as it is", Scope::Confirm, Observes),
    row(C::GoOnWriting, "go-on-writing", "Go on with the text", "go on", "Opens the text that was not sent", Scope::Offer, Observes),
    row(C::DropText, "drop-text", "Drop the text", "drop it", "Throws the text away that was not sent", Scope::Offer, Observes),
    row(C::PutOffText, "put-off-text", "Put the text off", "later", "Keeps every text that was not sent as a draft", Scope::Offer, Observes),
];

impl Command {
    /// Its row.
    #[must_use]
    pub fn info(self) -> &'static CommandInfo {
        // A test holds every command to having a row; the first one stands in for what cannot happen.
        COMMANDS.iter().find(|info| info.command == self).unwrap_or(&COMMANDS[0])
    }

    /// The command of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        COMMANDS.iter().find(|info| info.name == name).map(|info| info.command)
    }
}

impl CommandInfo {
    /// True where it can be given in this pane.
    #[must_use]
    pub fn fits(&self, pane: Pane) -> bool {
        matches!(self.scope, Scope::Panes(panes) if panes.contains(&pane))
    }

    /// True where it changes an incident or the systems.
    #[must_use]
    pub fn is_act(&self) -> bool {
        self.danger != Observes
    }

    /// True where it opens a text, which is no act before it is sent.
    #[must_use]
    pub fn is_written(&self) -> bool {
        matches!(self.command, C::Note | C::StatusUpdate | C::PostMortem | C::NoteAnswer | C::DraftRunbook)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_has_one_row_and_one_name() {
        let names: BTreeSet<&str> = COMMANDS.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for info in COMMANDS {
            assert_eq!(info.command.info().name, info.name);
            assert_eq!(Command::by_name(info.name), Some(info.command));
            assert!(!info.title.is_empty() && !info.help.ends_with('.') && info.short.len() <= 12, "{}", info.name);
        }
    }

    #[test]
    fn every_pane_can_be_gone_to() {
        for pane in Pane::ALL {
            assert_eq!(Command::Pane(pane).info().command, Command::Pane(pane));
        }
    }
}
