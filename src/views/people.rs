//! Who is here: for the status bar, for the header of an incident, and as a list.

use std::sync::Arc;

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::text;
use super::theme::Role;
use crate::engine::model::{IncidentId, Present, Role as PersonRole, RunId, Wheel};
use crate::engine::snapshot::Snapshot;

/// Columns of the names in the list.
const LABEL: usize = 17;

/// The names of the others for whom this holds, in the order in which they came; each once, however many consoles somebody has.
fn others<'s>(ctx: &ViewContext<'s>, holds: impl Fn(&Present) -> bool) -> Vec<&'s Arc<str>> {
    let mut names: Vec<&Arc<str>> = Vec::new();
    for present in ctx.snapshot.present.iter().filter(|present| present.name != ctx.ui.me && holds(present)) {
        if !names.contains(&&present.name) {
            names.push(&present.name);
        }
    }
    names
}

/// `bo`, `bo and cleo`, `bo and 2 others`.
fn listed(names: &[&Arc<str>]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(one.to_string()),
        [one, other] => Some(format!("{one} and {other}")),
        [one, rest @ ..] => Some(format!("{one} and {} others", rest.len())),
    }
}

/// Who else is attached: as long as there is room, and as short as it goes.
pub fn others_here(ctx: &ViewContext<'_>) -> Option<(String, String)> {
    let names = others(ctx, |_| true);
    Some((format!("with {}", listed(&names)?), format!("{} here", names.len() + 1)))
}

/// Who else looks at this incident; `None` where nobody does.
pub fn looking_at(pen: Pen<'_>, ctx: &ViewContext<'_>, id: IncidentId) -> Option<Vec<Span<'static>>> {
    let names = others(ctx, |present| present.incident == Some(id));
    let told = listed(&names)?;
    let verb = if names.len() == 1 { "looks" } else { "look" };
    Some(vec![pen.plain(&format!("{told} {verb} at this too"))])
}

/// True where somebody else looks at this incident.
pub fn is_looked_at(ctx: &ViewContext<'_>, id: IncidentId) -> bool {
    !others(ctx, |present| present.incident == Some(id)).is_empty()
}

/// Who drives the run, where that is worth telling: somebody else does, or others are here.
pub fn driver(ctx: &ViewContext<'_>, run: RunId) -> Option<String> {
    let Wheel { driver, asked, .. } = ctx.snapshot.wheels.get(&run)?;
    let is_own = *driver == ctx.ui.me;
    if is_own && others(ctx, |_| true).is_empty() {
        return None;
    }
    let drives = if is_own { "you drive".to_owned() } else { format!("{driver} drives") };
    Some(match asked {
        Some(asked) if asked.by == ctx.ui.me => format!("{drives}, you ask"),
        Some(asked) => format!("{drives}, {} asks", asked.by),
        None => drives,
    })
}

/// Whoever waits for an answer about a wheel that is this person's.
pub fn asks_for_wheel<'s>(snapshot: &'s Snapshot, me: &str) -> Option<(RunId, &'s Arc<str>)> {
    snapshot.wheels.iter().find_map(|(run, wheel)| {
        let asked = wheel.asked.as_ref().filter(|_| wheel.driver.as_ref() == me)?;
        Some((*run, &asked.by))
    })
}

/// The wheel of the run, where it is somebody else's who is here and may drive: then nobody else acts on it.
pub fn drives_instead<'s>(snapshot: &'s Snapshot, me: &str, run: RunId) -> Option<&'s Wheel> {
    let wheel = snapshot.wheels.get(&run).filter(|wheel| wheel.driver.as_ref() != me)?;
    let is_there = |present: &Present| present.name == wheel.driver && present.role >= PersonRole::Responder;
    snapshot.present.iter().any(is_there).then_some(wheel)
}

/// Every line of the list: each console, and who drives what without being here.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let snapshot = ctx.snapshot;
    let about = |role: Role, name: &str, told: &str| paragraph(pen, role, &format!("{name:LABEL$}"), told, width);
    let mut lines = Vec::new();
    for present in &snapshot.present {
        let name = if present.name == ctx.ui.me { format!("{} (you)", present.name) } else { present.name.to_string() };
        let since = text::clock(present.since, ctx.now);
        let mut told = vec![format!("{} · since {since}", present.role)];
        told.extend(looks(present));
        told.extend(driven(snapshot, &present.name));
        lines.extend(about(Role::TextStrong, &name, &told.join(" · ")));
    }
    if lines.is_empty() {
        lines.extend(about(Role::TextMuted, "nobody", "no console is attached"));
    }
    let is_here = |name: &str| snapshot.present.iter().any(|present| present.name.as_ref() == name);
    let mut gone: Vec<&Arc<str>> =
        snapshot.wheels.values().map(|wheel| &wheel.driver).filter(|name| !is_here(name)).collect();
    gone.sort_unstable();
    gone.dedup();
    for name in gone {
        let told = format!("not here · {}; whoever acts next drives", driven(snapshot, name).unwrap_or_default());
        lines.extend(about(Role::TextMuted, name, &told));
    }
    lines
}

fn looks(present: &Present) -> Option<String> {
    match (&present.incident, present.pane.as_ref()) {
        (None, "") => None,
        (None, pane) => Some(format!("in {pane}")),
        (Some(incident), pane) => Some(format!("in {pane}: {incident}")),
    }
}

fn driven(snapshot: &Snapshot, name: &str) -> Option<String> {
    let own = snapshot.wheels.iter().filter(|(_, wheel)| wheel.driver.as_ref() == name);
    let runs: Vec<String> = own.map(|(run, _)| run.to_string()).collect();
    (!runs.is_empty()).then(|| format!("drives {}", runs.join(", ")))
}
