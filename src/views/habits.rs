//! What was learnt to set aside: every rule, how far it has come, and what it would have hidden that mattered; with the
//! alerts that are set aside now.

use ratatui::text::Line;

use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::text;
use super::theme::Role;
use crate::engine::model::suppression_rule::{HABIT_DAYS, HABIT_EPISODES, TRIAL_DAYS, TRIAL_EPISODES};
use crate::engine::model::{AlertState, AnomalyState, SuppressionReason, SuppressionRule};

/// Every line.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, width: usize) -> Vec<Line<'static>> {
    let rules = &ctx.snapshot.suppression_rules;
    if rules.is_empty() {
        let nothing = format!(
            "Nothing yet. What comes at least {HABIT_EPISODES} times over {HABIT_DAYS} days and never matters is tried in \
             shadow for {TRIAL_DAYS} days and {TRIAL_EPISODES} times; only then is it set aside, and the first one that \
             matters ends the rule."
        );
        return paragraph(pen, Role::Text, "", &nothing, width);
    }
    let mut lines = vec![Line::from(pen.span(Role::TextMuted, &now(ctx))), Line::default()];
    for rule in rules {
        lines.extend(about(pen, ctx, rule, width));
    }
    lines
}

/// How much is set aside at this moment.
fn now(ctx: &ViewContext<'_>) -> String {
    let is_learned = |reason: Option<&SuppressionReason>| matches!(reason, Some(SuppressionReason::Learned { .. }));
    let alerts = ctx.snapshot.alerts.iter().filter(|alert| alert.notice.state == AlertState::Firing);
    let alerts = alerts.filter(|alert| is_learned(alert.suppressed.as_ref())).count();
    let anomalies = ctx.snapshot.anomalies.iter().filter(|anomaly| anomaly.state != AnomalyState::Ended);
    let anomalies = anomalies.filter(|anomaly| is_learned(anomaly.suppressed.as_ref())).count();
    format!("Set aside now: {alerts} alerts, {anomalies} anomalies. They still join an incident at their place.")
}

fn about(pen: Pen<'_>, ctx: &ViewContext<'_>, rule: &SuppressionRule, width: usize) -> Vec<Line<'static>> {
    let since = text::age(ctx.now.since_ms(rule.since));
    let mut lines = paragraph(pen, Role::TextStrong, "", &format!("{} {}", rule.place, rule.what), width);
    lines.extend(paragraph(pen, Role::Text, "  ", &format!("{rule} (for {since})"), width));
    lines
}
