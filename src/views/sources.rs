//! A source that is not healthy, in a line.

use ratatui::text::Line;

use super::canvas::Pen;
use super::chart;
use super::context::ViewContext;
use super::text;
use super::theme::Role;
use crate::engine::model::{SourceReport, SourceState};

/// `✗ prom-us down since 14:32Z (<1 m): no answer from …    again 14:33Z`
pub fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, source: &SourceReport, width: usize) -> Line<'static> {
    let name = pen.span(Role::TextStrong, &format!(" {} ", source.source));
    let spans = match &source.state {
        SourceState::Down { reason, since, retry_at } => {
            let age = text::age(ctx.now.since_ms(*since));
            let reason = text::without_os_number(reason);
            let clock = text::clock(*since, ctx.now);
            let told = |reason: &str| format!("down since {clock} ({age}): {reason}");
            let retry = format!("again {}", text::clock(*retry_at, ctx.now));
            let room = width.saturating_sub(name.width() + retry.len() + 2);
            let short = without_address(&reason);
            let choices = [told(&reason), told(&short), format!("down {age}: {short}")];
            let text = text::fitting(choices, room, pen.glyphs);
            let left = vec![pen.span(Role::TextProblem, "✗"), name, pen.plain(&text)];
            return pen.spread(left, vec![pen.span(Role::TextMuted, &retry)], width);
        }
        SourceState::Degraded { reason } => vec![pen.span(Role::TextProblem, "△"), name, pen.plain(reason)],
        SourceState::Backfilling { done, total } => {
            let share = f64::from(*done) / f64::from((*total).max(1));
            let text = format!("reading history {:.0} % ", (share * 100.0).floor());
            let bar = pen.span(Role::BarFilled, &chart::bar(share, 20));
            vec![pen.plain("…"), name, pen.plain(&text), bar]
        }
        SourceState::Starting => vec![pen.plain("…"), name, pen.plain("waiting for the first answer")],
        SourceState::Healthy => vec![pen.plain("✓"), name],
    };
    pen.spread(spans, Vec::new(), width)
}

/// Without the addresses in it, where there is no room for them: the settings have them.
pub fn without_address(reason: &str) -> String {
    let is_address = |word: &str| word.contains("://");
    let mut words: Vec<String> = Vec::new();
    for word in reason.split(' ') {
        if !is_address(word) {
            words.push(word.to_owned());
            continue;
        }
        // `refused at http://loki:3100: is it …` is `refused: is it …`.
        if words.last().is_some_and(|before| matches!(before.as_str(), "at" | "from" | "to")) {
            words.pop();
        }
        let mark: String = word.chars().last().filter(|c| ":;,".contains(*c)).into_iter().collect();
        match words.last_mut() {
            Some(before) => before.push_str(&mark),
            None => words.push("it".to_owned()),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_way_to_what_mends_it() {
        for (reason, expected) in [
            ("connection refused at http://loki:3100: is it running?", "connection refused: is it running?"),
            ("no answer from http://prometheus:9090 within 10 s", "no answer within 10 s"),
            ("http://a:1 does not answer: check that it runs", "it does not answer: check that it runs"),
            ("nothing to leave out", "nothing to leave out"),
        ] {
            assert_eq!(without_address(reason), expected);
        }
    }
}
