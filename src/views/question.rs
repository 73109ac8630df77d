//! The question before something is done: what will happen, the exact command, and what to answer. It tells whether all of
//! that was on the screen, for nobody may approve what cannot be seen.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::evidence::paragraph;
use super::footer::keys_line;
use super::layout;
use super::overlay::{open, typed};
use super::text;
use super::theme::Role;
use super::ui_state::Confirmation;

/// Columns of the box where everything fits into it.
const WIDTH: u16 = 72;
/// Columns of the box that are not text.
const EDGES: u16 = 4;
/// Rows of the box that are not the question: its edges and the answer.
const FRAME: usize = 3;
/// Columns that what is typed needs beside its prompt.
const TYPED_WIDTH: usize = 8;
/// Columns below which lines are too short to be read as a command.
const TEXT_WIDTH_MIN: usize = 20;

/// Draws the question in the roomiest way that fits; true where all of it is on the screen.
pub fn draw(canvas: &mut Canvas<'_>, body: Rect, ctx: &ViewContext<'_>, confirmation: &Confirmation) -> bool {
    let pen = canvas.pen;
    let columns = |width: u16| usize::from(width.min(body.width).saturating_sub(EDGES));
    let room = usize::from(body.height).saturating_sub(FRAME);
    let ways = [(WIDTH, true), (body.width, true), (WIDTH, false), (body.width, false)];
    let choices = ways.map(|(width, is_listed)| (width, lines(pen, confirmation, columns(width), is_listed)));
    let fitting = choices.iter().find(|(_, lines)| lines.len() <= room);
    let Some((width, lines)) = fitting.or_else(|| choices.last()) else { return false };
    let height = u16::try_from(lines.len() + FRAME).unwrap_or(u16::MAX);
    let (take, leave) = if confirmation.typed_target.is_some() || confirmation.line.is_some() {
        ("take", "back")
    } else {
        ("yes", "no")
    };
    let is_whole = fitting.is_some() && columns(*width) >= TEXT_WIDTH_MIN;
    let wanted = [(take, "do it"), (leave, "leave it")];
    let keys = keys_line(ctx.hints, wanted.get(usize::from(!is_whole)..).unwrap_or_default());
    let inner = open(canvas, body, (*width, height), confirmation.heading, &keys);
    let (top, answer) = layout::split_top(inner, inner.height.saturating_sub(1));
    if is_whole {
        for (row, line) in (0..top.height).zip(lines) {
            canvas.line(top, row, line.clone());
        }
    } else {
        let choices = ["the question does not fit: make the window larger", "make the window larger", "too small"];
        let said = text::fitting(choices.map(|choice| format!("✗ {choice}")), usize::from(top.width), pen.glyphs);
        canvas.line(top, 0, pen.span(Role::GateDeny, &said));
        for (row, line) in (1..top.height).zip(lines) {
            canvas.line(top, row, line.clone());
        }
    }
    let prompt = prompt(pen, confirmation, usize::from(answer.width));
    typed(canvas, answer, &prompt, confirmation.around_cursor());
    is_whole
}

/// Stands before the answer where the name to type is told above it.
const TYPE_IT: &str = "Type it: ";

/// What stands before the answer; the name to type only where there is room for both.
fn prompt(pen: Pen<'_>, confirmation: &Confirmation, width: usize) -> String {
    let columns = |target: &str| text::width(&text::clean(target, pen.glyphs));
    if let Some(line) = confirmation.line {
        return line.to_owned();
    }
    match &confirmation.typed_target {
        Some(target) if columns(target) + TYPED_WIDTH + 8 <= width => format!("Type {target}: "),
        Some(_) => TYPE_IT.to_owned(),
        None => "Do it? ".to_owned(),
    }
}

/// The question and the command: argument by argument where they are listed, else in lines of its own.
fn lines(pen: Pen<'_>, confirmation: &Confirmation, width: usize, is_listed: bool) -> Vec<Line<'static>> {
    let mut lines = paragraph(pen, Role::TextStrong, "", &confirmation.question, width);
    if is_listed && !confirmation.argv.is_empty() {
        lines.push(Line::default());
    }
    if is_listed {
        for (index, argument) in confirmation.argv.iter().enumerate() {
            let role = if index == 0 { Role::CodeCommand } else { Role::Code };
            let escaped = text::escape_argument(argument);
            lines.extend(paragraph(pen, role, &format!("  {index:>2}  "), &escaped, width));
        }
        lines.push(Line::default());
    } else if !confirmation.argv.is_empty() {
        lines.extend(paragraph(pen, Role::Code, "$ ", &text::command_line(&confirmation.argv), width));
    }
    // Most questions name it already.
    let untold = confirmation.typed_target.as_ref().filter(|target| !confirmation.question.contains(target.as_str()));
    if let Some(target) = untold.filter(|_| prompt(pen, confirmation, width) == TYPE_IT) {
        lines.extend(paragraph(pen, Role::Text, "To type: ", target, width));
    }
    lines
}
