//! Finding a command by a few of its letters. Matching only; drawing is the views'.

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

use super::commands::{COMMANDS, Command, CommandInfo};
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
    /// Commands of this pane whose title or name holds the letters of `input` in their order, best match first; all of
    /// them, most useful first, where nothing is typed yet.
    #[must_use]
    pub fn find(input: &str, pane: Pane, is_read_only: bool, keymap: &Keymap) -> Self {
        let matcher = SkimMatcherV2::default().ignore_case();
        let fits = |info: &CommandInfo| info.fits(pane) && !(is_read_only && info.is_act());
        let wanted = input.trim();
        let mut found: Vec<(i64, &CommandInfo, Vec<usize>)> = COMMANDS
            .iter()
            .filter(|info| fits(info))
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
        found.sort_by_key(|(score, ..)| std::cmp::Reverse(*score));
        let layers = Layer::of_pane(pane);
        let mut palette = Self::default();
        for (_, info, matched) in found {
            let keys = keymap.keys_of(info.command, layers, fits).into_iter().next().unwrap_or_default();
            palette.matches.push(PaletteMatch { title: info.title.to_owned(), keys, matched });
            palette.commands.push(info.command);
        }
        palette
    }
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
            ("dry", Pane::Log, None),
            ("zzzz", Pane::Now, None),
        ] {
            assert_eq!(first(input, pane), expected, "{input}");
        }
    }

    #[test]
    fn every_command_of_a_pane_is_listed_before_anything_is_typed() {
        let keymap = Keymap::load("default", None).0;
        for pane in Pane::ALL {
            let listed = Palette::find("", pane, false, &keymap).commands;
            assert_eq!(listed.len(), COMMANDS.iter().filter(|info| info.fits(pane)).count());
        }
    }

    #[test]
    fn read_only_takes_acts_away() {
        let keymap = Keymap::load("default", None).0;
        let listed = Palette::find("", Pane::Runbook, true, &keymap).commands;
        assert!(listed.iter().all(|command| !command.info().is_act()));
    }
}
