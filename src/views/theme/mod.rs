//! Styles by what they mean. A theme is data: a palette of names and a style for each role, read from `themes/*.toml`.
//!
//! A role without a style of its own takes that of the broader name (`severity.critical`, then `severity`), so a theme says
//! only what differs. Text that carries no meaning of its own stays in the terminal's default foreground; where a colour
//! would not be legible on both light and dark, the cell sets foreground and background.

mod read;
mod role;

use std::collections::BTreeMap;

use ratatui::style::Style;

pub use role::Role;

use crate::nearest::nearest;

use crate::engine::model::{IncidentSeverity, Severity, TimelineKind};
use crate::engine::snapshot::FileProblem;

/// The themes inside the program, by name; the first is the default.
pub const SHIPPED: [(&str, &str); 5] = [
    ("dark", include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("colour-blind", include_str!("../../../themes/colour-blind.toml")),
    ("mono", include_str!("../../../themes/mono.toml")),
];

/// Styles by role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// One style per role, in the order of [`Role::ALL`].
    styles: Vec<Style>,
}

impl Default for Theme {
    fn default() -> Self {
        Self::shipped("dark").unwrap_or(Self { styles: Vec::new() })
    }
}

impl Theme {
    /// A theme of [`SHIPPED`] by name.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        SHIPPED.iter().any(|(have, _)| *have == name).then(|| Self::load(name, None).0)
    }

    /// The shipped theme `base_name` with a user's file over it, role by role; `user_toml` is the file's name and text. The
    /// file's own `inherits` takes the place of `base_name`. What is wrong with either is reported, and everything else
    /// applies.
    #[must_use]
    pub fn load(base_name: &str, user_toml: Option<(&str, &str)>) -> (Self, Vec<FileProblem>) {
        let mut problems = Vec::new();
        let mut layers = Vec::new();
        let mut base = base_name.to_owned();
        if let Some((file, text)) = user_toml {
            let layer = read::layer(file, text, &mut problems);
            base = layer.inherits.clone().unwrap_or(base);
            layers.push((file.to_owned(), layer));
        }
        // A shipped theme inherits from another at most once or twice; the bound keeps a circle from going round.
        for _ in 0..SHIPPED.len() {
            let Some((name, text)) = find_shipped(&base, &mut problems) else { break };
            let file = format!("themes/{name}.toml");
            let layer = read::layer(&file, text, &mut problems);
            let inherits = layer.inherits.clone();
            layers.push((file, layer));
            match inherits {
                Some(next) => base = next,
                None => break,
            }
        }
        layers.reverse();
        (Self { styles: resolve(&layers, &mut problems) }, problems)
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }
}

fn find_shipped(name: &str, problems: &mut Vec<FileProblem>) -> Option<(&'static str, &'static str)> {
    let found = SHIPPED.iter().find(|(have, _)| *have == name).copied();
    if found.is_none() {
        let names = SHIPPED.map(|(name, _)| name);
        let text = match nearest(name, names) {
            Some(near) => format!("no theme is called `{name}`; did you mean `{near}`?"),
            None => format!("no theme is called `{name}`; there are {}", names.join(", ")),
        };
        problems.push(FileProblem { file: "theme".into(), line: 0, text: text.into() });
        return SHIPPED.first().copied();
    }
    found
}

/// Lays the layers over one another, broadest first, and fills every role from the nearest broader name.
fn resolve(layers: &[(String, read::Layer)], problems: &mut Vec<FileProblem>) -> Vec<Style> {
    let mut palette = BTreeMap::new();
    for (_, layer) in layers {
        palette.extend(layer.palette.iter().map(|(name, colour)| (name.as_str(), *colour)));
    }
    let mut given: BTreeMap<&str, Style> = BTreeMap::new();
    for (file, layer) in layers {
        for entry in &layer.roles {
            match read::style(&entry.text, &palette) {
                Ok(style) => {
                    given.insert(&entry.name, style);
                }
                Err(text) => {
                    problems.push(FileProblem { file: file.as_str().into(), line: entry.line, text: text.into() });
                }
            }
        }
    }
    Role::ALL.iter().map(|role| with_fallback(role.name(), &given)).collect()
}

fn with_fallback(name: &str, given: &BTreeMap<&str, Style>) -> Style {
    let mut name = name;
    loop {
        if let Some(style) = given.get(name) {
            return *style;
        }
        match name.rsplit_once('.') {
            Some((broader, _)) => name = broader,
            None => return Style::default(),
        }
    }
}

/// Role, symbol and word of a severity: the three always go together.
#[must_use]
pub fn severity(severity: Severity) -> (Role, &'static str, &'static str) {
    match severity {
        Severity::Info => (Role::SeverityInfo, "·", severity.word()),
        Severity::Warning => (Role::SeverityWarning, "△", severity.word()),
        Severity::Critical => (Role::SeverityCritical, "▲", severity.word()),
    }
}

/// Role, symbol and word of an incident's severity.
#[must_use]
pub fn incident_severity(severity: IncidentSeverity) -> (Role, &'static str, &'static str) {
    match severity {
        IncidentSeverity::Sev4 => (Role::SeveritySev4, "·", "SEV4"),
        IncidentSeverity::Sev3 => (Role::SeveritySev3, "△", "SEV3"),
        IncidentSeverity::Sev2 => (Role::SeveritySev2, "▲", "SEV2"),
        IncidentSeverity::Sev1 => (Role::SeveritySev1, "▲", "SEV1"),
    }
}

/// Role, symbol and word of a kind of timeline entry.
#[must_use]
pub fn timeline(kind: TimelineKind) -> (Role, &'static str, &'static str) {
    match kind {
        TimelineKind::Change => (Role::TimelineChange, "Δ", "change"),
        TimelineKind::Anomaly => (Role::TimelineAnomaly, "●", "anomaly"),
        TimelineKind::Alert => (Role::TimelineAlert, "◇", "alert"),
        TimelineKind::Impact => (Role::TimelineImpact, "▲", "impact"),
        TimelineKind::Hypothesis => (Role::TimelineHypothesis, "◆", "hypothesis"),
        TimelineKind::State => (Role::TimelineState, "■", "state"),
        TimelineKind::Step => (Role::TimelineStep, "▶", "step"),
        TimelineKind::Note => (Role::TimelineNote, "✎", "note"),
        TimelineKind::Recovery => (Role::TimelineRecovery, "✓", "recovery"),
    }
}

#[cfg(test)]
mod tests;
