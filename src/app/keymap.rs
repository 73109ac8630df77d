//! Which keys give which command: shipped keymaps, overridden key by key by a file of one's own.
//!
//! A keymap is layers of key sequences. Which layers count depends on what is on the screen; the more specific one
//! wins. A mistake in a file is a [`FileProblem`]: the entry is left out and the console starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::commands::{COMMANDS, Command, CommandInfo, Scope};
use super::key::{Key, display_sequence, parse_sequence};
use crate::engine::snapshot::FileProblem;
use crate::nearest::suggestion;
use crate::views::ui_state::Pane;

/// The keymaps inside the program, by name. All but the first go on top of the first.
pub const SHIPPED: [(&str, &str); 3] = [
    ("default", include_str!("../../keymaps/default.toml")),
    ("vim", include_str!("../../keymaps/vim.toml")),
    ("emacs", include_str!("../../keymaps/emacs.toml")),
];

/// A key of a file's table with its value.
type Entry<'a, 'i> = (&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>);

/// Takes a key away.
const NONE: &str = "none";

/// A set of keys that counts in one kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Everywhere but where text is typed or a question asked.
    Global,
    /// Wherever rows are selected.
    List,
    /// In Incident.
    Incident,
    /// In Chain.
    Chain,
    /// In Runbook.
    Runbook,
    /// In Patches.
    Patches,
    /// In Ask, where no question is being typed.
    Ask,
    /// While text is typed.
    Prompt,
    /// While a note is written, over [`Layer::Prompt`].
    Note,
    /// While a question in plain words is typed, over [`Layer::Prompt`].
    Asking,
    /// While a question is asked.
    Confirm,
    /// While a text is offered that was not sent.
    Offer,
}

impl Layer {
    /// Every layer with its name in files.
    pub const ALL: [(&str, Self); 12] = [
        ("global", Self::Global),
        ("list", Self::List),
        ("incident", Self::Incident),
        ("chain", Self::Chain),
        ("runbook", Self::Runbook),
        ("patches", Self::Patches),
        ("ask", Self::Ask),
        ("prompt", Self::Prompt),
        ("note", Self::Note),
        ("asking", Self::Asking),
        ("confirm", Self::Confirm),
        ("offer", Self::Offer),
    ];

    /// The layers of a pane, most specific first.
    #[must_use]
    pub fn of_pane(pane: Pane) -> &'static [Self] {
        match pane {
            Pane::Incident => &[Self::Incident, Self::List, Self::Global],
            Pane::Chain => &[Self::Chain, Self::List, Self::Global],
            Pane::Runbook => &[Self::Runbook, Self::List, Self::Global],
            Pane::Patches => &[Self::Patches, Self::List, Self::Global],
            Pane::Ask => &[Self::Ask, Self::List, Self::Global],
            Pane::Now | Pane::Anomalies | Pane::Log => &[Self::List, Self::Global],
        }
    }

    fn takes(self, info: &CommandInfo) -> bool {
        match self {
            Self::Prompt => info.scope == Scope::Prompt,
            Self::Note => matches!(info.scope, Scope::Note | Scope::Prompt),
            Self::Asking => matches!(info.scope, Scope::Asking | Scope::Prompt),
            Self::Confirm => info.scope == Scope::Confirm,
            Self::Offer => info.scope == Scope::Offer,
            _ => matches!(info.scope, Scope::Panes(_)),
        }
    }
}

/// What keys pressed so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// A command.
    Command(Command),
    /// The start of longer sequences.
    Prefix,
    /// Nothing.
    Nothing,
}

/// Which keys give which command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keymap {
    layers: BTreeMap<Layer, Vec<(Vec<Key>, Command)>>,
}

impl Keymap {
    /// The keymap of this name with what `folder` holds under the same name on top. Problems come beside it; with an
    /// unknown name it is the default one.
    #[must_use]
    pub fn load(name: &str, folder: Option<&Path>) -> (Self, Vec<FileProblem>) {
        let mut keymap = Self::default();
        let mut problems = Vec::new();
        let mut is_known = false;
        for (shipped, text) in SHIPPED {
            if shipped == SHIPPED[0].0 || shipped == name {
                problems.extend(keymap.add_text(&format!("keymaps/{shipped}.toml"), text));
                is_known |= shipped == name;
            }
        }
        let path = folder.map(|folder| folder.join(format!("{name}.toml")));
        match path.as_deref().map(|path| (path, std::fs::read_to_string(path))) {
            Some((path, Ok(text))) => {
                problems.extend(keymap.add_text(&path.display().to_string(), &text));
                is_known = true;
            }
            Some((path, Err(problem))) if problem.kind() != std::io::ErrorKind::NotFound => {
                is_known = true;
                problems.push(problem_at(&path.display().to_string(), 0, format!("it cannot be read: {problem}")));
            }
            _ => {}
        }
        if !is_known {
            let text = format!(
                "there is no keymap `{name}`{}; the default one is used",
                suggestion(name, SHIPPED.map(|(name, _)| name))
            );
            problems.push(problem_at("keymaps", 0, text));
        }
        (keymap, problems)
    }

    /// Puts the entries of `text` on top; what cannot be understood is left out and told.
    pub fn add_text(&mut self, file: &str, text: &str) -> Vec<FileProblem> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut problems: Vec<FileProblem> = errors
            .iter()
            .map(|error| problem_at(file, line_of(text, error.span()), error.message().to_owned()))
            .collect();
        for (name, value) in table.get_ref() {
            let line = line_of(text, Some(name.span()));
            let layer = Layer::ALL.iter().find(|(known, _)| *known == name.get_ref()).map(|(_, layer)| *layer);
            match (layer, value.get_ref()) {
                (Some(layer), DeValue::Table(entries)) => {
                    // Each goes to the front, so that hints show the keys of this file before those beneath it.
                    for (keys, command) in as_written(entries).into_iter().rev() {
                        let line = line_of(text, Some(keys.span()));
                        if let Err(problem) = self.bind(layer, keys.get_ref(), command) {
                            problems.push(problem_at(file, line, problem));
                        }
                    }
                }
                (Some(_), _) => problems.push(problem_at(
                    file,
                    line,
                    format!("`{name}` is a layer: write [{name}]", name = name.get_ref()),
                )),
                (None, _) => {
                    let known = suggestion(name.get_ref(), Layer::ALL.map(|(name, _)| name));
                    problems.push(problem_at(file, line, format!("there is no layer `{}`{known}", name.get_ref())));
                }
            }
        }
        problems.sort_by_key(|problem| problem.line);
        problems.extend(self.hidden().into_iter().map(|text| problem_at(file, 0, text)));
        problems
    }

    fn bind(&mut self, layer: Layer, keys: &str, command: &Spanned<DeValue<'_>>) -> Result<(), String> {
        let sequence = parse_sequence(keys)?;
        let DeValue::String(name) = command.get_ref() else {
            return Err(format!("`{keys}` wants the name of a command in quotes"));
        };
        let entries = self.layers.entry(layer).or_default();
        if name == NONE {
            entries.retain(|(known, _)| *known != sequence);
            return Ok(());
        }
        let command = Command::by_name(name).ok_or_else(|| {
            format!("there is no command `{name}`{}", suggestion(name, COMMANDS.iter().map(|info| info.name)))
        })?;
        if !layer.takes(command.info()) {
            let right = match command.info().scope {
                Scope::Prompt => "[prompt]",
                Scope::Note => "[note]",
                Scope::Asking => "[asking]",
                Scope::Confirm => "[confirm]",
                Scope::Offer => "[offer]",
                Scope::Panes(_) => "[global], [list] or the layer of a pane",
            };
            return Err(format!("`{name}` cannot be given here; it belongs into {right}"));
        }
        entries.retain(|(known, _)| *known != sequence);
        entries.insert(0, (sequence, command));
        Ok(())
    }

    /// Sequences that can never be finished because their start is a command by itself.
    fn hidden(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entries in self.layers.values() {
            for (short, command) in entries {
                for (long, other) in entries {
                    if long.len() > short.len() && long.starts_with(short) && short_fits_where(*command, *other) {
                        found.push(format!(
                            "`{}` gives `{}` at once, so `{}` can never be reached; take one away with \"none\"",
                            display_sequence(short),
                            command.info().name,
                            display_sequence(long)
                        ));
                    }
                }
            }
        }
        found
    }

    /// What `keys` come to in these layers, most specific first, among the commands that `fits`.
    pub fn lookup(&self, layers: &[Layer], keys: &[Key], fits: impl Fn(&CommandInfo) -> bool) -> Lookup {
        for layer in layers {
            let mut is_prefix = false;
            for (sequence, command) in self.layers.get(layer).into_iter().flatten() {
                if !fits(command.info()) {
                    continue;
                }
                if sequence == keys {
                    return Lookup::Command(*command);
                }
                is_prefix |= sequence.starts_with(keys);
            }
            if is_prefix {
                return Lookup::Prefix;
            }
        }
        Lookup::Nothing
    }

    /// The keys of a command in these layers that no more specific layer shadows, each once, the preferred first: those
    /// of the more specific layer and of the file on top, in the order in which they were written.
    #[must_use]
    pub fn keys_of(&self, command: Command, layers: &[Layer], fits: impl Fn(&CommandInfo) -> bool) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (keys, bound) in layers.iter().filter_map(|layer| self.layers.get(layer)).flatten() {
            let text = display_sequence(keys);
            let counts = *bound == command && self.lookup(layers, keys, &fits) == Lookup::Command(command);
            if counts && !found.contains(&text) {
                found.push(text);
            }
        }
        found
    }

    /// The keys of a command in every layer, each once.
    pub(super) fn all_keys(&self, command: Command) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for (sequence, _) in self.layers.values().flatten().filter(|(_, bound)| *bound == command) {
            let text = display_sequence(sequence);
            if !keys.contains(&text) {
                keys.push(text);
            }
        }
        keys
    }
}

/// Entries in the order of the file: the key written first is the one that hints show.
fn as_written<'a, 'i>(entries: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<Entry<'a, 'i>> = entries.iter().collect();
    entries.sort_by_key(|(keys, _)| keys.span().start);
    entries
}

/// True where both can be given in the same place.
fn short_fits_where(short: Command, long: Command) -> bool {
    match (short.info().scope, long.info().scope) {
        (Scope::Panes(short), Scope::Panes(long)) => short.iter().any(|pane| long.contains(pane)),
        (short, long) => short == long,
    }
}

fn problem_at(file: &str, line: u32, text: String) -> FileProblem {
    FileProblem { file: Arc::from(file), line, text: Arc::from(text) }
}

/// The line, from 1, where a span of `text` begins; 0 without a span.
#[must_use]
pub fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> u32 {
    let Some(before) = span.and_then(|span| text.as_bytes().get(..span.start)) else { return 0 };
    u32::try_from(before.iter().filter(|byte| **byte == b'\n').count() + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        parse_sequence(text).unwrap()
    }

    #[test]
    fn what_we_ship_has_no_problems() {
        for (name, _) in SHIPPED {
            assert_eq!(Keymap::load(name, None).1, [], "{name}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_what_was_meant() {
        for (text, line, expected) in [
            ("[global]\n\"x\" = \"pallete\"", 2, "there is no command `pallete`; did you mean `palette`?"),
            ("[globl]\n\"x\" = \"palette\"", 1, "there is no layer `globl`; did you mean `global`?"),
            ("[list]\n\n\"Retrun\" = \"open\"", 3, "`Retrun` is no key"),
            ("[list]\n\"x\" = 3", 2, "`x` wants the name of a command in quotes"),
            ("[list]\n\"x\" = \"submit\"", 2, "`submit` cannot be given here; it belongs into [prompt]"),
            ("[prompt]\n\"x\" = \"open\"", 2, "`open` cannot be given here"),
            ("list = 3", 1, "`list` is a layer: write [list]"),
            ("[list]\n\"x\" = \"open", 2, ""),
            ("[list]\n\"g\" = \"open\"", 0, "`g g` can never be reached"),
        ] {
            let mut keymap = Keymap::load("default", None).0;
            let problems = keymap.add_text("mine.toml", text);
            assert_eq!(problems.first().map(|problem| problem.line), Some(line), "{text}: {problems:?}");
            assert!(problems[0].text.contains(expected), "{text}: {problems:?}");
        }
    }

    #[test]
    fn one_mistake_leaves_the_other_keys_alone() {
        let mut keymap = Keymap::load("default", None).0;
        let problems =
            keymap.add_text("mine.toml", "[list]\n\"x\" = \"opne\"\n\"Ctrl-j\" = \"move-down\"\n\"j\" = \"none\"");
        assert_eq!(problems.len(), 1);
        let layers = Layer::of_pane(Pane::Now);
        assert_eq!(keymap.lookup(layers, &keys("Ctrl-j"), |_| true), Lookup::Command(Command::MoveDown));
        assert_eq!(keymap.lookup(layers, &keys("j"), |_| true), Lookup::Nothing);
        assert_eq!(keymap.lookup(layers, &keys("k"), |_| true), Lookup::Command(Command::MoveUp));
    }

    #[test]
    fn an_unknown_keymap_is_the_default_one_and_said() {
        let (keymap, problems) = Keymap::load("vmi", None);
        assert_eq!(keymap, Keymap::load("default", None).0);
        assert!(problems[0].text.contains("did you mean `vim`?"), "{problems:?}");
    }

    #[test]
    fn a_file_of_ones_own_goes_on_top() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), "[global]\n\"F2\" = \"help\"\n").unwrap();
        let (keymap, problems) = Keymap::load("mine", Some(folder.path()));
        assert_eq!(problems, []);
        let layers = Layer::of_pane(Pane::Log);
        assert_eq!(keymap.lookup(layers, &keys("F2"), |_| true), Lookup::Command(Command::Help));
        assert_eq!(keymap.lookup(layers, &keys("?"), |_| true), Lookup::Command(Command::Help));
    }

    #[test]
    fn nothing_is_on_keys_that_tmux_screen_or_the_terminal_take() {
        for (name, _) in SHIPPED {
            let keymap = Keymap::load(name, None).0;
            for text in ["Ctrl-a", "Ctrl-b", "Ctrl-s", "Ctrl-q", "\\", "Ctrl-\\", "Ctrl-c"] {
                for (_, layer) in Layer::ALL {
                    assert_eq!(keymap.lookup(&[layer], &keys(text), |_| true), Lookup::Nothing, "{name} {text}");
                }
            }
            for (sequence, command) in keymap.layers.values().flatten() {
                let is_suspend = *command == Command::Suspend;
                assert!(sequence[0] != keys("Ctrl-z")[0] || is_suspend, "{name}");
            }
        }
    }

    #[test]
    fn every_command_can_be_reached_by_a_key() {
        let keymap = Keymap::load("default", None).0;
        for info in COMMANDS {
            assert!(!keymap.all_keys(info.command).is_empty(), "{}", info.name);
        }
    }
}
