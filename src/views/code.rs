//! Commands with syntax colours, in the theme's own roles. The syntaxes are loaded at the first command that is shown.

use std::sync::OnceLock;

use ratatui::text::Span;
use syntect::parsing::{ParseState, ScopeStack, SyntaxSet};

use super::canvas::Pen;
use super::theme::Role;

static SYNTAXES: OnceLock<SyntaxSet> = OnceLock::new();

/// One line of shell, coloured. Where it cannot be parsed it stays plain: what it says is the same.
pub fn shell(pen: Pen<'_>, line: &str) -> Vec<Span<'static>> {
    parsed(pen, line).unwrap_or_else(|| vec![pen.span(Role::Code, line)])
}

fn parsed(pen: Pen<'_>, line: &str) -> Option<Vec<Span<'static>>> {
    let syntaxes = SYNTAXES.get_or_init(SyntaxSet::load_defaults_newlines);
    let syntax = syntaxes.find_syntax_by_token("bash")?;
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
