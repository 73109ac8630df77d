//! Finding a command by a few of its letters. Matching only; drawing is the views'.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::commands::{COMMANDS, Command, CommandInfo, Scope};
use super::keymap::{Keymap, Layer};
use crate::views::context::PaletteMatch;
use crate::views::ui_state::Pane;

/// What the palette lists: matches as views draw them, with the command each stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette {
    /// As drawn, best first.
    pub matches: Vec<PaletteMatch>,
    /// In the same order.
    pub commands: Vec<Command>,
}

impl Palette {
    /// Commands whose title or name holds the letters of `input` in their order, best match first; all of them, most
    /// useful first, where nothing is typed yet. Those that another pane has come after this one's, marked with it.
    #[must_use]
    pub fn find(input: &str, pane: Pane, is_read_only: bool, keymap: &Keymap) -> Self {
        let matcher = SkimMatcherV2::default().ignore_case();
        let is_listed = |info: &CommandInfo| pane_of(info, pane).is_some() && !(is_read_only && info.is_act());
        let wanted = input.trim();
        let mut found: Vec<(i64, &CommandInfo, Vec<usize>)> = COMMANDS
            .iter()
            .filter(|info| is_listed(info))
            .filter_map(|info| {
                let title = matcher.fuzzy_indices(info.title, wanted);
                let name = matcher.fuzzy_match(info.name, wanted);
                match (title, name) {
                    (Some((score, at)), name) => Some((score.max(name.unwrap_or(score)), info, at)),
                    (None, Some(score)) => Some((score, info, Vec::new())),
                    (None, None) => None,
                }
            })
            .collect();
        // A stable sort: the table's own order decides between equals.
        found.sort_by_key(|(score, info, _)| (std::cmp::Reverse(*score), !info.fits(pane)));
        let mut palette = Self::default();
        for (_, info, matched) in found {
            let at = pane_of(info, pane).unwrap_or(pane);
            let fits = |info: &CommandInfo| info.fits(at);
            let keys = keymap.keys_of(info.command, Layer::of_pane(at), fits).into_iter().next().unwrap_or_default();
            let place = if at == pane { String::new() } else { format!("  ({})", at.title()) };
            palette.matches.push(PaletteMatch { title: format!("{}{place}", info.title), keys, matched });
            palette.commands.push(info.command);
        }
        palette
    }
}

/// The pane in which a command is given from `pane`: there where it can be, else the one that it is most at home in.
#[must_use]
pub fn pane_of(info: &CommandInfo, pane: Pane) -> Option<Pane> {
    let Scope::Panes(panes) = info.scope else { return None };
    // Now lists what the others are about, so it comes first in the table.
    if panes.contains(&pane) { Some(pane) } else { panes.get(1).or(panes.first()).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(input: &str, pane: Pane) -> Option<Command> {
        let keymap = Keymap::load("default", None).0;
        Palette::find(input, pane, false, &keymap).commands.first().copied()
    }

    #[test]
    fn a_few_letters_find_the_command() {
        for (input, pane, expected) in [
            ("ack", Pane::Incident, Some(Command::Acknowledge)),
            ("note", Pane::Incident, Some(Command::Note)),
            ("GO LOG", Pane::Now, Some(Command::Pane(Pane::Log))),
            ("dry", Pane::Runbook, Some(Command::DryRun)),
            ("dry", Pane::Log, Some(Command::DryRun)),
            ("zzzz", Pane::Now, None),
        ] {
            assert_eq!(first(input, pane), expected, "{input}");
        }
    }

    #[test]
    fn every_command_is_listed_before_anything_is_typed_this_panes_first() {
        let keymap = Keymap::load("default", None).0;
        for pane in Pane::ALL {
            let listed = Palette::find("", pane, false, &keymap).commands;
            let is_of_panes = |info: &&CommandInfo| matches!(info.scope, Scope::Panes(_));
            assert_eq!(listed.len(), COMMANDS.iter().filter(is_of_panes).count());
            assert!(listed.iter().map(|command| !command.info().fits(pane)).is_sorted());
        }
    }

    #[test]
    fn read_only_takes_acts_away() {
        let keymap = Keymap::load("default", None).0;
        let listed = Palette::find("", Pane::Runbook, true, &keymap).commands;
        assert!(listed.iter().all(|command| !command.info().is_act()));
    }
}
