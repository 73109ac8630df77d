//! Moving the selection, the output and the lines of an overlay.

use crate::app::commands::Command;
use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::limits::STEP_OUTPUT_LINES_MAX;
use crate::views::ui_state::{Overlay, RowKey};

/// Lines that the output moves at a key.
const OUTPUT_LINES: usize = 5;

pub(super) fn give(state: &mut AppState, command: Command) {
    match command {
        Command::OutputUp => {
            state.ui.output_scroll = (state.ui.output_scroll + OUTPUT_LINES).min(output_lines(state).saturating_sub(1));
        }
        Command::OutputDown => state.ui.output_scroll = state.ui.output_scroll.saturating_sub(OUTPUT_LINES),
        Command::ChainLeft => along(state, picture::Direction::ToCaller),
        Command::ChainRight => along(state, picture::Direction::ToCallee),
        _ => {
            let page = isize::try_from(state.page_rows.max(2)).unwrap_or(2);
            by(
                state,
                match command {
                    Command::MoveDown | Command::ChainDown => 1,
                    Command::MoveUp | Command::ChainUp => -1,
                    Command::HalfPageDown => page / 2,
                    Command::HalfPageUp => -page / 2,
                    Command::PageDown => page - 1,
                    Command::PageUp => 1 - page,
                    Command::MoveBottom => isize::MAX,
                    _ => isize::MIN,
                },
            );
        }
    }
}

fn output_lines(state: &AppState) -> usize {
    let longest = state.run().into_iter().flat_map(|run| &run.steps).map(|step| step.output.len()).max();
    longest.unwrap_or(0).min(STEP_OUTPUT_LINES_MAX)
}

/// Moves what is on top by so many rows; past an end it stays at the end.
pub(super) fn by(state: &mut AppState, rows: isize) {
    let lines = overlay_lines(state);
    match &mut state.ui.overlay {
        Overlay::None => self::rows(state, rows),
        Overlay::Help { selected } | Overlay::Palette { selected, .. } | Overlay::Sources { selected, .. } => {
            *selected = moved(*selected, rows, lines);
        }
        Overlay::Evidence { offset, .. }
        | Overlay::Why { offset, .. }
        | Overlay::Entry { offset, .. }
        | Overlay::Habits { offset }
        | Overlay::Policy { offset }
        | Overlay::People { offset }
        | Overlay::Away { offset, .. } => {
            // The frame says where it ends.
            *offset = offset.saturating_add_signed(rows);
        }
        Overlay::Filter | Overlay::Asking | Overlay::Note { .. } | Overlay::Unsent | Overlay::Confirm(_) => {}
    }
}

/// Moves the selection of the pane.
pub(super) fn rows(state: &mut AppState, by: isize) {
    let all = state.rows();
    let Some((index, _)) = state.selected() else { return };
    let index = moved(index, by, all.len());
    if let Some(row) = all.get(index) {
        state.select(index, row.clone());
    }
    if state.ui.pane.starts_at_end() && index + 1 == all.len() {
        // Whoever goes to the newest row follows it.
        state.list_mut().selected = None;
    }
}

fn moved(index: usize, rows: isize, count: usize) -> usize {
    index.saturating_add_signed(rows).min(count.saturating_sub(1))
}

/// Lines of an overlay in which one is selected.
fn overlay_lines(state: &AppState) -> usize {
    match &state.ui.overlay {
        Overlay::Help { .. } => state.hints.len(),
        Overlay::Palette { .. } => state.palette.commands.len(),
        Overlay::Sources { row, .. } => state.ui.talk.sources(row).len(),
        _ => 0,
    }
}

/// Goes to the neighbour along or against the calls.
fn along(state: &mut AppState, direction: picture::Direction) {
    let Some((_, RowKey::Service(from))) = state.selected() else { return };
    let Some(to) = picture::neighbour(&state.snapshot, &state.ui, &from, direction) else { return };
    let rows = state.rows();
    if let Some(index) = rows.iter().position(|row| *row == RowKey::Service(to.clone())) {
        state.select(index, RowKey::Service(to));
    }
}
