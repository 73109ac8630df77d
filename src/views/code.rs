//! Commands and log lines with syntax colours, in the theme's own roles. The syntaxes are loaded when the first is shown.

use std::sync::OnceLock;

use ratatui::text::{Line, Span};
use syntect::parsing::{ParseState, ScopeStack, SyntaxSet};

use super::canvas::Pen;
use super::text;
use super::theme::Role;

static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();

/// How a line is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A command.
    Shell,
    /// A line of a log that is an object.
    Json,
    /// Any other line of a log: its strings and numbers are what stands out, as in most scripts.
    Log,
    /// A line of a manifest.
    Yaml,
}

impl Language {
    /// The language of a line of a log.
    pub fn of_log(line: &str) -> Self {
        if line.starts_with('{') { Self::Json } else { Self::Log }
    }

    fn token(self) -> &'static str {
        match self {
            Self::Shell => "bash",
            Self::Json => "json",
            Self::Log => "py",
            Self::Yaml => "yaml",
        }
    }
}

/// One line of shell, coloured. Where it cannot be parsed it stays plain: what it says is the same.
pub fn shell(pen: Pen<'_>, line: &str) -> Vec<Span<'static>> {
    spans(pen, Language::Shell, line)
}

/// A command as entries of the log write it, `$ kubectl get pods`, or without the prompt.
pub fn command(pen: Pen<'_>, line: &str) -> Vec<Span<'static>> {
    match line.strip_prefix(PROMPT) {
        Some(command) => [vec![pen.span(Role::TextMuted, PROMPT)], shell(pen, command)].concat(),
        None => shell(pen, line),
    }
}

/// Stands before a command.
pub const PROMPT: &str = "$ ";

/// One line of code, read as a whole and then broken into lines behind `label`.
pub fn wrapped(pen: Pen<'_>, language: Language, label: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    let indent = text::width(&text::clean(label, pen.glyphs));
    let cleaned = text::clean(content, pen.glyphs).into_owned();
    let broken = broken(pen, &spans(pen, language, &cleaned), width.saturating_sub(indent));
    let head = |row: usize| if row == 0 { pen.span(Role::TextMuted, label) } else { Span::raw(" ".repeat(indent)) };
    broken.into_iter().enumerate().map(|(row, spans)| Line::from([vec![head(row)], spans].concat())).collect()
}

/// Spans that stand one behind the other, broken into lines of at most `width` columns; each keeps its style.
pub fn broken(pen: Pen<'_>, spans: &[Span<'static>], width: usize) -> Vec<Vec<Span<'static>>> {
    let whole: String = spans.iter().map(|span| span.content.as_ref()).collect();
    let mut lines = Vec::new();
    let mut from = 0;
    for line in text::wrap(&whole, width, pen.glyphs) {
        let start = from + whole.get(from..).and_then(|rest| rest.find(&line)).unwrap_or(0);
        from = start + line.len();
        lines.push(part(spans, start, from));
    }
    lines
}

/// One line of a manifest, coloured.
pub fn yaml(pen: Pen<'_>, line: &str) -> Vec<Span<'static>> {
    spans(pen, Language::Yaml, line)
}

/// The bytes from `start` to `end` of spans that stand one behind the other.
fn part(spans: &[Span<'static>], start: usize, end: usize) -> Vec<Span<'static>> {
    let mut at = 0;
    let mut taken = Vec::new();
    for span in spans {
        let (from, to) = (start.max(at), end.min(at + span.content.len()));
        if let Some(content) = from.checked_sub(at).and_then(|from| span.content.get(from..to.saturating_sub(at)))
            && !content.is_empty()
        {
            taken.push(Span::styled(content.to_owned(), span.style));
        }
        at += span.content.len();
    }
    taken
}

fn spans(pen: Pen<'_>, language: Language, line: &str) -> Vec<Span<'static>> {
    parsed(pen, language, line).unwrap_or_else(|| vec![pen.span(Role::Code, line)])
}

fn parsed(pen: Pen<'_>, language: Language, line: &str) -> Option<Vec<Span<'static>>> {
    let syntaxes = SYNTAXES.get_or_init(SyntaxSet::load_defaults_newlines);
    let syntax = syntaxes.find_syntax_by_token(language.token())?;
    let with_newline = format!("{line}\n");
    let operations = ParseState::new(syntax).parse_line(&with_newline, syntaxes).ok()?;
    let mut stack = ScopeStack::new();
    let mut spans = Vec::new();
    let mut from = 0;
    for (at, operation) in operations {
        let at = at.min(line.len());
        if at > from {
            spans.push(pen.span(role(&stack), line.get(from..at)?));
            from = at;
        }
        stack.apply(&operation).ok()?;
    }
    if from < line.len() {
        spans.push(pen.span(role(&stack), line.get(from..)?));
    }
    Some(spans)
}

/// The role of the innermost scope that has one.
fn role(stack: &ScopeStack) -> Role {
    const ROLES: [(&str, Role); 7] = [
        ("comment", Role::CodeComment),
        ("string", Role::CodeString),
        ("constant.numeric", Role::CodeNumber),
        ("constant.character.escape", Role::CodeString),
        ("variable.parameter.option", Role::CodeOption),
        ("variable.function", Role::CodeCommand),
        ("support.function", Role::CodeCommand),
    ];
    let scopes = stack.as_slice().iter().rev().map(|scope| scope.build_string());
    let found = scopes.into_iter().find_map(|scope| ROLES.iter().find(|(prefix, _)| scope.starts_with(prefix)));
    found.map_or(Role::Code, |(_, role)| *role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::context::Glyphs;
    use crate::views::theme::Theme;

    #[test]
    fn a_line_of_a_log_keeps_its_text_and_its_colours_over_the_break() {
        let theme = Theme::default();
        let pen = Pen { theme: &theme, glyphs: Glyphs::default() };
        let json = r#"{"level": "error", "took_ms": 5000, "message": "no route to the database, given up after 3"}"#;
        let plain = r#"ERROR connect failed: timeout="30 s, given up" after 3 tries"#;
        for (line, language) in [(json, Language::Json), (plain, Language::Log)] {
            assert_eq!(Language::of_log(line), language);
            for width in [12, 30, 200] {
                let lines = wrapped(pen, language, "> ", line, width);
                let said = lines.iter().map(|line| line.to_string().get(2..).unwrap_or("").to_owned());
                assert_eq!(said.collect::<Vec<_>>().join("").replace(' ', ""), line.replace(' ', ""), "{width}");
                let styles: Vec<_> = lines.iter().flat_map(|line| &line.spans).map(|span| span.style).collect();
                assert!(styles.contains(&theme.style(Role::CodeString)), "{width}: {lines:?}");
                assert!(styles.contains(&theme.style(Role::CodeNumber)), "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn a_command_keeps_its_text_and_gains_colours() {
        let theme = Theme::default();
        let pen = Pen { theme: &theme, glyphs: Glyphs::default() };
        for line in ["kubectl rollout undo deployment/payment -n prod --timeout=60s", "echo \"a b\" # c", "", "((("] {
            let spans = shell(pen, line);
            assert_eq!(spans.iter().map(|span| span.content.as_ref()).collect::<String>(), line);
        }
        let spans = shell(pen, "kubectl get pods -n prod");
        assert_eq!(spans.first().map(|span| span.style), Some(theme.style(Role::CodeCommand)));
        assert!(spans.iter().any(|span| span.style == theme.style(Role::CodeOption)));
    }
}
