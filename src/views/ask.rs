//! Questions in plain words and their answers, each claim with what it rests on; at the bottom the question being typed.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::code;
use super::context::ViewContext;
use super::layout;
use super::list::{self, Entry, MARKER_WIDTH, Window};
use super::model_text::{self, Said};
use super::suggestions::suggestions;
use super::talk::{Exchange, Outcome};
use super::text;
use super::theme::Role;
use super::ui_state::{ListState, Overlay, RowKey, UiState};
use super::writing;
use crate::engine::ask::answer::{Answer, AnswerState, Citation, Claim, Form};
use crate::engine::snapshot::Snapshot;

/// Rows that a question may take while it is typed.
const PROMPT_ROWS_MAX: usize = 3;
/// Names that are offered for a word.
pub const MATCHES_MAX: usize = 6;
/// Columns for what a claim rests on, at least and at most.
const SOURCE_WIDTHS: (usize, usize) = (18, 32);
/// Before what is typed.
const PROMPT: &str = "❯ ";

/// Something of the pane, before it is broken into lines.
#[derive(Debug, Clone)]
pub enum Piece<'s> {
    /// Between exchanges.
    Blank,
    /// Above a group.
    Heading(&'static str),
    /// A sentence of the console's own.
    Words(&'static str),
    /// A question.
    Asked(&'s Exchange),
    /// Why there is no answer.
    Failed(&'s str),
    /// What is answered, in a sentence.
    Lead(&'s Claim, AnswerState),
    /// What it rests on.
    Claim(&'s Claim),
    /// What is not known.
    Missing(&'s Claim),
    /// How sure the answer is, and of which time it speaks.
    Bounds(&'s Answer),
    /// What a language model says.
    Said(Said<'s>),
    /// A question that may be asked.
    Next(&'s str),
}

/// The pane's pieces in order; a piece with a key can be selected.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &'s UiState) -> Vec<Entry<Piece<'s>>> {
    let talk = &ui.talk;
    let mut entries = Vec::new();
    for exchange in &talk.exchanges {
        if !entries.is_empty() {
            entries.push(Entry::fixed(Piece::Blank));
        }
        entries.push(Entry::row(RowKey::Asked(exchange.number), Piece::Asked(exchange)));
        match &exchange.outcome {
            Outcome::Waiting => entries.push(Entry::fixed(Piece::Words("looking it up"))),
            Outcome::Failed(reason) => entries.push(Entry::fixed(Piece::Failed(reason))),
            Outcome::Answered(_, answer) => entries.extend(of_answer(exchange.number, answer)),
        }
        let said = exchange.model.as_ref().map(model_text::said).unwrap_or_default().into_iter().enumerate();
        entries.extend(said.map(|(place, said)| Entry::row(RowKey::Said(exchange.number, place), Piece::Said(said))));
    }
    let last = talk.exchanges.last().map(|exchange| &exchange.outcome);
    match last {
        None => {
            entries.push(Entry::fixed(Piece::Words(
                "Ask in your own words. Every answer says what it rests on, and nothing is ever done from here.",
            )));
            entries.push(Entry::fixed(Piece::Blank));
            entries.push(Entry::heading(Piece::Heading("To begin with")));
            let incident = super::focus::incident(snapshot, ui).map(Arc::as_ref);
            entries.extend(suggestions(incident).iter().map(|text| next(text)));
        }
        Some(Outcome::Answered(_, answer)) if !answer.next.is_empty() => {
            let is_doubt = answer.state == AnswerState::Ambiguous;
            entries.push(Entry::heading(Piece::Heading(if is_doubt { "Which is meant" } else { "Then" })));
            entries.extend(answer.next.iter().map(|text| next(text)));
        }
        Some(_) => {}
    }
    entries
}

fn next(text: &str) -> Entry<Piece<'_>> {
    Entry::row(RowKey::Next(Arc::from(text)), Piece::Next(text))
}

fn of_answer(number: u64, answer: &Answer) -> Vec<Entry<Piece<'_>>> {
    let lead = std::iter::once(Piece::Lead(&answer.lead, answer.state));
    let claims = lead.chain(answer.claims.iter().map(Piece::Claim)).chain(answer.missing.iter().map(Piece::Missing));
    let rows = claims.enumerate().map(|(place, piece)| Entry::row(RowKey::Claim(number, place), piece));
    let mut entries: Vec<Entry<Piece<'_>>> = rows.collect();
    if answer.confidence.is_some() || answer.window.is_some() {
        entries.push(Entry::fixed(Piece::Bounds(answer)));
    }
    entries
}

/// The pane's title: what the next question takes up at the right.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let slots = ctx.ui.talk.thread().map(|reading| &reading.slots);
    let about = slots.map(|slots| slots.words().join(" · ")).filter(|about| !about.is_empty());
    let right = about.map(|about| vec![pen.span(Role::TextMuted, &format!("about {about}"))]);
    (vec![pen.span(Role::PaneTitle, "Ask")], right.unwrap_or_default())
}

/// Where everything of the pane is.
pub struct Layout {
    /// The lines above the prompt.
    pub entries: Vec<Entry<Line<'static>>>,
    /// Where they are.
    pub list: Rect,
    /// Which of them are on the screen.
    pub state: ListState,
    prompt: Rect,
}

/// Lays the pane out.
pub fn laid_out(inner: Rect, ctx: &ViewContext<'_>) -> Layout {
    let pen = Pen { theme: ctx.theme, glyphs: ctx.glyphs };
    let typed = writing::rows_of(&ctx.ui.talk.prompt.text, prompt_text(inner).width, ctx.glyphs);
    let rows = u16::try_from(typed.clamp(1, PROMPT_ROWS_MAX)).unwrap_or(1) + 1;
    let (list, prompt) = layout::split_top(inner, inner.height.saturating_sub(rows.min(inner.height)));
    let width = usize::from(list.width).saturating_sub(MARKER_WIDTH + 1);
    let entries: Vec<_> = entries(ctx.snapshot, ctx.ui).iter().flat_map(|entry| lines(pen, entry, width)).collect();
    let state = with_question(&entries, ctx.ui.list(), usize::from(list.height));
    Layout { entries, list, state, prompt }
}

/// Where what is typed stands within the prompt's area.
fn prompt_text(area: Rect) -> Rect {
    let taken = u16::try_from(text::width(PROMPT)).unwrap_or(2) + 1;
    Rect { x: area.x.saturating_add(taken), width: area.width.saturating_sub(taken + 1), ..area }
}

/// The whole of what is selected is on the screen, and of an answer the question above its first line.
fn with_question<T>(entries: &[Entry<T>], list: ListState, height: usize) -> ListState {
    let mut list = list::with_whole_selection(entries, list, height);
    let window = list::window(&entries.iter().map(|entry| entry.key.as_ref()), &list, height);
    let is_lead =
        |line: &usize| matches!(entries.get(*line).and_then(|entry| entry.key.as_ref()), Some(RowKey::Claim(_, 0)));
    list.offset = window.offset;
    if let Some(line) = window.selected.filter(is_lead)
        && line == window.offset
        && height > 1
    {
        list.offset = line.saturating_sub(1);
    }
    list
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let Layout { entries, list, state, prompt } = laid_out(inner, ctx);
    let window = list::draw(canvas, list, &entries, &state, |line, _| line.clone());
    draw_prompt(canvas, prompt, inner, ctx);
    window
}

fn draw_prompt(canvas: &mut Canvas<'_>, area: Rect, inner: Rect, ctx: &ViewContext<'_>) {
    let pen = canvas.pen;
    let (rule, line) = layout::split_top(area, 1);
    let edge = Rect { x: rule.x.saturating_sub(1), width: rule.width + 2, ..rule };
    canvas.rule(edge, 0, ("├", "┤"), Vec::new(), Vec::new());
    let is_typing = ctx.ui.overlay == Overlay::Asking;
    let role = if is_typing { Role::Key } else { Role::TextMuted };
    canvas.line(line, 0, vec![pen.plain(" "), pen.span(role, PROMPT)]);
    let prompt = &ctx.ui.talk.prompt;
    let text_area = prompt_text(line);
    if prompt.text.is_empty() && !is_typing {
        let key = super::footer::keys_for(ctx.hints, "ask").map(|key| format!("{key} asks")).unwrap_or_default();
        canvas.line(text_area, 0, pen.span(Role::TextMuted, &key));
        return;
    }
    let lines = [prompt.text.clone()];
    writing::draw_text(canvas, text_area, &lines, (0, prompt.cursor), is_typing);
    if is_typing && !prompt.matches.is_empty() {
        draw_matches(canvas, rule, inner, ctx);
    }
}

/// Names that the word may stand for, right above the prompt.
fn draw_matches(canvas: &mut Canvas<'_>, rule: Rect, inner: Rect, ctx: &ViewContext<'_>) {
    let prompt = &ctx.ui.talk.prompt;
    let pen = canvas.pen;
    let room = usize::from(rule.y.saturating_sub(inner.y)).min(MATCHES_MAX);
    let shown: Vec<_> = prompt.matches.iter().take(room).collect();
    let widest = shown.iter().map(|name| text::width(name)).max().unwrap_or(0) + 4;
    let width = u16::try_from(widest.min(usize::from(inner.width).saturating_sub(4))).unwrap_or(inner.width);
    let height = u16::try_from(shown.len()).unwrap_or(0);
    let area = Rect { x: inner.x + 2, y: rule.y - height.min(rule.y), width, height };
    canvas.clear(area);
    for ((row, name), index) in (0..).zip(shown).zip(0..) {
        let is_selected = index == prompt.selected;
        let (marker, role) = if is_selected { ("▶ ", Role::InputMatch) } else { ("  ", Role::Text) };
        let name = pen.cell(role, name, usize::from(width).saturating_sub(2));
        canvas.line(area, row, vec![pen.span(Role::SelectionMarker, marker), name]);
    }
}

/// A piece as lines; the first carries its key.
fn lines(pen: Pen<'_>, entry: &Entry<Piece<'_>>, width: usize) -> Vec<Entry<Line<'static>>> {
    let lines = match &entry.what {
        Piece::Blank => vec![Line::default()],
        Piece::Heading(word) => vec![Line::from(pen.span(Role::PaneHeading, word))],
        Piece::Words(words) => plain(pen, Role::TextMuted, "", words, width),
        Piece::Asked(exchange) => {
            let lines = plain(pen, Role::Input, PROMPT, &exchange.question, width.saturating_sub(10));
            let at = pen.span(Role::TextMuted, &exchange.at.hh_mm_ss());
            with_right(pen, lines, &at, width)
        }
        Piece::Failed(reason) => plain(pen, Role::NoticeProblem, "✗ ", &format!("not answered: {reason}"), width),
        Piece::Lead(claim, state) => {
            let mark = match state {
                AnswerState::Answered => pen.span(Role::GateAllow, "● "),
                AnswerState::Unknown | AnswerState::Ambiguous => pen.span(Role::GateAsk, "? "),
                AnswerState::Refused => pen.span(Role::GateDeny, "✗ "),
            };
            of_claim(pen, &mark, claim, width)
        }
        Piece::Claim(claim) => of_claim(pen, &pen.span(Role::TextMuted, "  · "), claim, width),
        Piece::Missing(claim) => of_claim(pen, &pen.span(Role::GateAsk, "  not known: "), claim, width),
        Piece::Bounds(answer) => plain(pen, Role::TextMuted, "  ", &bounds(answer), width),
        Piece::Said(said) => {
            let label = format!("{}{}", model_text::MARK, said.label);
            if said.citations.is_empty() {
                plain(pen, said.role, &label, &said.text, width)
            } else {
                let lines = plain(pen, said.role, &label, &said.text, width.saturating_sub(source_width(width) + 1));
                with_right(pen, lines, &tag(pen, said.citations, width), width)
            }
        }
        Piece::Next(question) => plain(pen, Role::Text, "  ", question, width),
    };
    let mut key = entry.key.clone();
    let is_heading = entry.is_heading;
    lines.into_iter().map(|line| Entry { key: key.take(), what: line, is_heading }).collect()
}

/// Text behind a label, broken into lines.
pub fn plain(pen: Pen<'_>, role: Role, label: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    let indent = text::width(label);
    let rows = text::wrap(content, width.saturating_sub(indent), pen.glyphs);
    let head = |row: usize| if row == 0 { pen.span(Role::TextMuted, label) } else { Span::raw(" ".repeat(indent)) };
    rows.iter().enumerate().map(|(row, line)| Line::from(vec![head(row), pen.span(role, line)])).collect()
}

/// A claim behind its mark, with what it rests on at the right of its first line.
fn of_claim(pen: Pen<'_>, mark: &Span<'static>, claim: &Claim, width: usize) -> Vec<Line<'static>> {
    let indent = mark.width();
    let room = width.saturating_sub(source_width(width) + 1);
    let mut lines = Vec::new();
    let mut running = Vec::new();
    for piece in claim.pieces() {
        match piece {
            Err(words) => running.push(pen.plain(words)),
            Ok(fact) => match fact.form {
                Form::Words => running.push(pen.span(Role::TextStrong, &fact.text)),
                Form::Command => running.extend(code::shell(pen, &text::clean(&fact.text, pen.glyphs))),
                Form::Manifest => {
                    flow(pen, &mut lines, &std::mem::take(&mut running), room.saturating_sub(indent));
                    lines.extend(fact.text.lines().map(|line| {
                        Line::from([vec![Span::raw("  ")], code::yaml(pen, &text::clean(line, pen.glyphs))].concat())
                    }));
                }
            },
        }
    }
    flow(pen, &mut lines, &running, room.saturating_sub(indent));
    let head = |row: usize| if row == 0 { mark.clone() } else { Span::raw(" ".repeat(indent)) };
    let lines = lines.into_iter().enumerate().map(|(row, line)| Line::from([vec![head(row)], line.spans].concat()));
    with_right(pen, lines.collect(), &tag(pen, &claim.citations(), width), width)
}

fn flow(pen: Pen<'_>, lines: &mut Vec<Line<'static>>, spans: &[Span<'static>], width: usize) {
    if spans.iter().any(|span| !span.content.trim().is_empty()) {
        lines.extend(code::broken(pen, spans, width).into_iter().map(Line::from));
    }
}

fn with_right(pen: Pen<'_>, mut lines: Vec<Line<'static>>, right: &Span<'static>, width: usize) -> Vec<Line<'static>> {
    if let Some(first) = lines.first_mut() {
        *first = pen.spread(std::mem::take(&mut first.spans), vec![right.clone()], width);
    }
    lines
}

/// Columns for what a line rests on.
fn source_width(width: usize) -> usize {
    (width / 5).clamp(SOURCE_WIDTHS.0, SOURCE_WIDTHS.1)
}

/// What a line rests on, in a few columns: of what does not fit, the name without the word before it.
fn tag(pen: Pen<'_>, citations: &[Citation], width: usize) -> Span<'static> {
    let width = source_width(width);
    let sources: Vec<&Citation> = citations.iter().filter(|from| **from != Citation::Question).collect();
    let Some(first) = sources.first().map(ToString::to_string) else { return Span::raw("") };
    let more = if sources.len() > 1 { format!(" +{}", sources.len() - 1) } else { String::new() };
    let fits = text::width(&first) + more.len() <= width;
    let name = first.split_once(' ').map(|(_, name)| name.to_owned()).filter(|_| !fits);
    let name = name.unwrap_or(first);
    let name = text::truncate(&name, width.saturating_sub(more.len()), pen.glyphs);
    pen.span(Role::TextMuted, &format!("{name}{more}"))
}

fn bounds(answer: &Answer) -> String {
    let sure = answer.confidence.map(|share| format!("confidence {:.0} %", share * 100.0));
    let window = answer.window.map(|span| {
        format!("{} {} to {} {} UTC", span.from.date(), span.from.hh_mm_ss(), span.to.date(), span.to.hh_mm_ss())
    });
    [sure, window].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What a row rests on, as the box lists it: each with what it is, as far as the picture knows.
pub fn sources(snapshot: &Snapshot, ui: &UiState, row: &RowKey) -> Vec<String> {
    let described = |source: &Citation| match what_is(snapshot, source) {
        Some(what) => format!("{source}  {what}"),
        None => source.to_string(),
    };
    ui.talk.sources(row).iter().map(described).collect()
}

fn what_is(snapshot: &Snapshot, source: &Citation) -> Option<String> {
    Some(match source {
        Citation::Incident(id) => snapshot.incident(*id)?.title.to_string(),
        Citation::Anomaly(id) => {
            let anomaly = snapshot.anomaly(*id)?;
            format!("{} {}", anomaly.service, anomaly.metric)
        }
        Citation::Change(id) => snapshot.changes.iter().find(|change| change.id == *id)?.notice.title.to_string(),
        Citation::Run(id, _) => snapshot.runs.iter().find(|run| run.id == *id)?.runbook.title.to_string(),
        Citation::Audit(number) => snapshot.audit.iter().find(|entry| entry.sequence == *number)?.text.to_string(),
        _ => return None,
    })
}
