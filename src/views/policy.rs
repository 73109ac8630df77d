//! What may begin by itself and what holds it back: mode, kill switch, circuit breaker, change freezes, silent trials.

use ratatui::text::Line;

use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::text;
use super::theme::Role;
use crate::engine::clock::MINUTE_MS;
use crate::engine::model::{AGREEMENT_MIN, ActionKind, AutonomyMode, ShadowRecord};

/// Columns of the names at the left.
const LABEL: usize = 17;

/// Every line.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let about = |role: Role, name: &str, told: &str| paragraph(pen, role, &format!("{name:LABEL$}"), told, width);
    let snapshot = ctx.snapshot;
    let autonomy = &snapshot.autonomy;
    let mut lines = about(Role::TextStrong, "mode", mode(snapshot.mode));
    lines.extend(match &snapshot.kill {
        Some(kill) => {
            let since = text::clock(kill.at, ctx.now);
            about(Role::TextProblem, "kill switch", &format!("on since {since}, by {}: {}", kill.by, kill.reason))
        }
        None => about(Role::Text, "kill switch", "off"),
    });
    if autonomy.breaker.is_empty() {
        lines.extend(about(Role::Text, "circuit breaker", "closed"));
    }
    for (incident, reason) in &autonomy.breaker {
        let told =
            format!("open for {incident}: {reason}; “Reset the circuit breaker” closes it once that was looked at");
        lines.extend(about(Role::TextProblem, "circuit breaker", &told));
    }
    if autonomy.freezes.is_empty() {
        lines.extend(about(Role::Text, "change freeze", "none now"));
    }
    for (name, until, services) in &autonomy.freezes {
        let of = services.as_ref().map(|services| format!(" for {services}")).unwrap_or_default();
        let told = format!("`{name}` until {} {}{of}", until.date(), text::clock(*until, *until));
        lines.extend(about(Role::TextProblem, "change freeze", &told));
    }
    let allowed: Vec<&str> = autonomy.assist.iter().map(|action| action.word()).collect();
    let allowed = if allowed.is_empty() {
        "nothing; `assist` under [policy] names kinds of act".to_owned()
    } else {
        allowed.join(", ")
    };
    lines.extend(about(Role::Text, "by itself", &allowed));
    let (begun, most) = autonomy.hour;
    let role = if begun >= most { Role::TextProblem } else { Role::Text };
    lines.extend(about(role, "", &format!("{begun} of at most {most} acts in the last hour, over all incidents")));
    let minutes = autonomy.cooldown_ms / MINUTE_MS;
    let cooling = autonomy
        .cooling
        .iter()
        .map(|(target, (until, run))| format!("{target} until {} after {run}", text::clock(*until, ctx.now)));
    let cooling: Vec<String> = cooling.collect();
    let cooling = if cooling.is_empty() { "nothing now".to_owned() } else { cooling.join(", ") };
    lines.extend(about(Role::Text, "cool-down", &format!("{minutes} min after an act on the same target: {cooling}")));
    lines.push(Line::default());
    let trials = "Silent trials: where the engine would have begun an act, what did people do?";
    lines.extend(paragraph(pen, Role::TextMuted, "", trials, width));
    if autonomy.trials.is_empty() {
        lines.extend(about(Role::Text, "", "none yet"));
    }
    for (action, record) in &autonomy.trials {
        lines.extend(about(Role::Text, action.word(), &trial(*record, autonomy.trials_min, is_allowed(ctx, *action))));
    }
    lines
}

fn mode(mode: AutonomyMode) -> &'static str {
    match mode {
        AutonomyMode::Observe => "OBSERVE: nothing is done from here",
        AutonomyMode::Suggest => "SUGGEST: every act waits for a person",
        AutonomyMode::Assist => "ASSIST: what the policy allows begins by itself, everything else waits for a person",
    }
}

fn is_allowed(ctx: &ViewContext<'_>, action: ActionKind) -> bool {
    ctx.snapshot.autonomy.assist.contains(&action)
}

fn trial(record: ShadowRecord, wanted: u32, is_allowed: bool) -> String {
    let count = record.agreed + record.differed;
    let lower = (record.agreement_lower() * 100.0).floor();
    let named = if is_allowed { "" } else { "; not under `assist`" };
    // Enough of them, and still too many that differed: more of the same count would not help.
    let wanted = if count >= wanted && record.agreement_lower() < AGREEMENT_MIN {
        format!(", {:.1} % are wanted)", AGREEMENT_MIN * 100.0)
    } else {
        format!("); {wanted} are wanted")
    };
    format!("the same in {} of {count} (at least {lower} % are to be expected{wanted}{named}", record.agreed)
}
