//! The top row: sources, mode, what is open, and whatever must not be overlooked. What matters least gives way first.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::people;
use super::text;
use super::theme::Role;
use crate::engine::model::{SourceReport, SourceState, human_count};
use crate::engine::snapshot::{Replaying, Snapshot};

/// From here on the store's size is shown.
const STORE_LARGE_PERCENT: u64 = 75;

/// A part of the bar and how long it holds its place: the lowest gives way first.
struct Part {
    rank: u8,
    spans: Vec<Span<'static>>,
    /// What it shrinks to before anything gives way.
    short: Option<Span<'static>>,
}

fn part(rank: u8, span: Span<'static>) -> Part {
    Part { rank, spans: vec![span], short: None }
}

/// Draws the status bar.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let pen = canvas.pen;
    let clock = pen.span(Role::TextMuted, &format!("{} ", text::clock(ctx.now, ctx.now)));
    let mut parts = parts(pen, ctx);
    let room = usize::from(area.width).saturating_sub(clock.width() + 1);
    while parts.len() > 1 && joined(pen, &parts).width() > room {
        if let Some((part, short)) = parts.iter_mut().find_map(|part| part.short.take().map(|short| (part, short))) {
            part.spans = vec![short];
            continue;
        }
        let weakest = parts.iter().enumerate().min_by_key(|(_, part)| part.rank).map(|(index, _)| index);
        parts.remove(weakest.unwrap_or(0));
    }
    let line = pen.spread(joined(pen, &parts).spans, vec![clock], usize::from(area.width));
    canvas.line(area, 0, line);
}

fn joined(pen: Pen<'_>, parts: &[Part]) -> Line<'static> {
    let mut spans = vec![pen.plain(" ")];
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            spans.push(pen.span(Role::PaneBorder, " ▏"));
        }
        spans.extend(part.spans.iter().cloned());
    }
    Line::from(spans)
}

/// Every part from left to right.
fn parts(pen: Pen<'_>, ctx: &ViewContext<'_>) -> Vec<Part> {
    let snapshot = ctx.snapshot;
    let mut parts = vec![part(4, pen.span(Role::StatusName, "hypo"))];
    if ctx.ui.is_frozen {
        let age = text::age_short(ctx.now.since_ms(snapshot.at));
        parts.push(part(12, pen.span(Role::StatusProblem, &format!("FROZEN {age}"))));
    }
    if let Some(meanwhile) = &ctx.ui.meanwhile {
        parts.push(part(13, pen.span(Role::StatusProblem, meanwhile)));
    }
    if let Some(unheard) = &ctx.ui.unheard {
        let text = format!("✗ {} OLD", text::short_age(unheard.ms));
        parts.push(part(14, pen.span(Role::StatusProblem, &text)));
    }
    parts.extend(snapshot.replay.map(|replay| part(11, pen.span(Role::StatusMode, &replaying(replay)))));
    parts.extend(sources(pen, ctx));
    if snapshot.kill.is_some() {
        parts.push(part(13, pen.span(Role::StatusProblem, "✗ KILL SWITCH ON")));
    }
    if !snapshot.autonomy.breaker.is_empty() {
        parts.push(part(9, pen.span(Role::StatusProblem, "△ BREAKER OPEN")));
    }
    parts.push(part(8, pen.span(Role::StatusMode, snapshot.mode.word())));
    if ctx.ui.is_read_only {
        parts.push(part(7, pen.span(Role::StatusMode, "READ-ONLY")));
    }
    if snapshot.store.problem.is_some() {
        parts.push(part(9, pen.span(Role::StatusProblem, "✗ STORE")));
    }
    if let Some(percent) = snapshot.store.percent().filter(|percent| *percent >= STORE_LARGE_PERCENT) {
        parts.push(part(8, pen.span(Role::StatusProblem, &format!("△ STORE {percent} %"))));
    }
    parts.push(part(10, open(pen, snapshot)));
    parts.extend(folded(pen, snapshot));
    if let Some((run, by)) = people::asks_for_wheel(snapshot, &ctx.ui.me) {
        parts.push(part(12, pen.span(Role::StatusProblem, &format!("{by} asks for the wheel of {run}"))));
    }
    if let Some((long, short)) = people::others_here(ctx) {
        parts.push(Part { rank: 3, spans: vec![pen.plain(&long)], short: Some(pen.plain(&short)) });
    }
    parts.extend(cold(pen, snapshot));
    if snapshot.counts.dropped_count > 0 {
        let text = format!("{} dropped", human_count(snapshot.counts.dropped_count));
        parts.push(part(1, pen.span(Role::TextMuted, &text)));
    }
    parts
}

/// `REPLAY 10×`: nobody may take what was recorded for what happens now.
fn replaying(replay: Replaying) -> String {
    match replay {
        Replaying { is_over: true, .. } => "REPLAY, at its end".to_owned(),
        Replaying { speed, .. } => format!("REPLAY {speed}×"),
    }
}

fn live_count(snapshot: &Snapshot) -> usize {
    snapshot.incidents.iter().filter(|incident| incident.state.is_live()).count()
}

fn open(pen: Pen<'_>, snapshot: &Snapshot) -> Span<'static> {
    match live_count(snapshot) {
        0 => pen.plain("none open"),
        live => pen.span(Role::TextStrong, &format!("{live} open")),
    }
}

/// `1,847 alerts → 1`: what the live incidents spare the reader.
fn folded(pen: Pen<'_>, snapshot: &Snapshot) -> Option<Part> {
    let live = live_count(snapshot);
    let folded = snapshot.counts.folded_count;
    (live > 0 && folded > 0).then(|| {
        let text = format!("{} → {live}", text::counted(folded, "signal", "signals"));
        part(2, pen.plain(&text))
    })
}

/// Says that static thresholds judge, while there is too little history.
fn cold(pen: Pen<'_>, snapshot: &Snapshot) -> Option<Part> {
    let counts = &snapshot.counts;
    (counts.series_count > 0 && counts.history_days < counts.history_days_min).then(|| {
        let text = format!("history {:.0} of {:.0} d: static thresholds", counts.history_days, counts.history_days_min);
        part(3, pen.span(Role::StatusMode, &text))
    })
}

/// Troubled sources one by one, and the healthy ones, which give way to a count.
fn sources(pen: Pen<'_>, ctx: &ViewContext<'_>) -> Vec<Part> {
    let is_well = |source: &SourceReport| source.state == SourceState::Healthy;
    let (well, troubled): (Vec<_>, Vec<_>) = ctx.snapshot.sources.iter().partition(|source| is_well(source));
    let mut parts = Vec::new();
    match well.as_slice() {
        [] => {}
        few if few.len() <= 3 => {
            let names: Vec<String> = few.iter().map(|source| format!("{} ✓", source.source)).collect();
            let short = Some(pen.plain(&format!("{} source{} ✓", few.len(), if few.len() == 1 { "" } else { "s" })));
            parts.push(Part { rank: 5, spans: vec![pen.plain(&names.join("  "))], short });
        }
        many => parts.push(part(5, pen.plain(&format!("{} sources ✓", many.len())))),
    }
    for source in troubled.iter().take(3) {
        parts.push(part(6, trouble(pen, ctx, source)));
    }
    if troubled.len() > 3 {
        let text = format!("{} more ✗", troubled.len() - 3);
        parts.push(part(6, pen.span(Role::StatusProblem, &text)));
    }
    parts
}

fn trouble(pen: Pen<'_>, ctx: &ViewContext<'_>, source: &SourceReport) -> Span<'static> {
    let name = &source.source;
    match &source.state {
        SourceState::Healthy => pen.plain(&format!("{name} ✓")),
        SourceState::Starting => pen.span(Role::TextMuted, &format!("{name} …")),
        SourceState::Backfilling { done, total } => {
            let percent = u64::from(*done) * 100 / u64::from(*total).max(1);
            pen.span(Role::StatusMode, &format!("{name} {percent} %"))
        }
        SourceState::Degraded { .. } => pen.span(Role::StatusProblem, &format!("{name} △")),
        SourceState::Down { since, .. } => {
            pen.span(Role::StatusProblem, &format!("{name} ✗ {}", text::age_short(ctx.now.since_ms(*since))))
        }
    }
}
