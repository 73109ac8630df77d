//! Reads one theme file: `inherits`, `[palette]`, `[roles]`. A mistake costs its own line and nothing else.

use crate::nearest::nearest;
use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::role::Role;
use crate::engine::snapshot::FileProblem;

/// One file as written.
#[derive(Debug, Default)]
pub struct Layer {
    /// The theme it builds on.
    pub inherits: Option<String>,
    /// Colours by name.
    pub palette: BTreeMap<String, Color>,
    /// Styles by role name; the text is not read before every palette is known.
    pub roles: Vec<RoleEntry>,
}

/// One line of `[roles]`.
#[derive(Debug)]
pub struct RoleEntry {
    /// Dotted role name, known to exist.
    pub name: String,
    /// Such as `white on red bold`.
    pub text: String,
    /// Line in the file, from 1.
    pub line: u32,
}

/// The sixteen basic colours, `default`, and their names in a file.
const COLOURS: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// What may be added to a colour.
const MODIFIERS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// Reads a file as far as it can be read.
pub fn layer(file: &str, text: &str, problems: &mut Vec<FileProblem>) -> Layer {
    let mut reader = Reader { file, text, problems };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.problem(error.span().map_or(0, |span| span.start), error.message().to_owned());
    }
    let mut layer = Layer::default();
    for (key, value) in table.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("inherits", DeValue::String(name)) => layer.inherits = Some(name.to_string()),
            ("palette", DeValue::Table(entries)) => reader.palette(entries, &mut layer.palette),
            ("roles", DeValue::Table(entries)) => reader.roles("", entries, &mut layer.roles),
            (name, _) => reader.unknown(key, "key", name, ["inherits", "palette", "roles"]),
        }
    }
    layer
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    problems: &'a mut Vec<FileProblem>,
}

impl Reader<'_> {
    fn line_of(&self, at: usize) -> u32 {
        let lines = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        u32::try_from(lines + 1).unwrap_or(u32::MAX)
    }

    fn problem(&mut self, at: usize, text: String) {
        let line = self.line_of(at);
        self.problems.push(FileProblem { file: self.file.into(), line, text: text.into() });
    }

    fn unknown<'n, K>(&mut self, key: &Spanned<K>, what: &str, name: &str, names: impl IntoIterator<Item = &'n str>) {
        let text = match nearest(name, names) {
            Some(near) => format!("`{name}` is no {what}, or not written as one; did you mean `{near}`?"),
            None => format!("`{name}` is no {what}"),
        };
        self.problem(key.span().start, text);
    }

    fn palette(&mut self, entries: &DeTable<'_>, palette: &mut BTreeMap<String, Color>) {
        for (key, value) in entries {
            let name = key.get_ref().to_string();
            match value.get_ref() {
                DeValue::String(text) => match colour(text, &BTreeMap::new()) {
                    Ok(colour) => {
                        palette.insert(name, colour);
                    }
                    Err(text) => self.problem(value.span().start, text),
                },
                _ => self.problem(value.span().start, format!("`{name}` must be a colour in quotes")),
            }
        }
    }

    /// Takes `"a.b" = …` and `a.b = …` alike: the latter is a table within a table.
    fn roles(&mut self, prefix: &str, entries: &DeTable<'_>, roles: &mut Vec<RoleEntry>) {
        for (key, value) in entries {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.roles(&format!("{name}."), inner, roles),
                DeValue::String(text) if Role::ALL.iter().any(|role| role.name() == name) => {
                    let line = self.line_of(key.span().start);
                    roles.push(RoleEntry { name, text: text.to_string(), line });
                }
                DeValue::String(_) => self.unknown(key, "role", &name, Role::ALL.iter().map(|role| role.name())),
                _ => self.problem(value.span().start, format!("`{name}` must be a style in quotes: \"red bold\"")),
            }
        }
    }
}

/// Reads `white on red bold`: a colour, `on` a colour, modifiers; each part may be missing.
pub fn style(text: &str, palette: &BTreeMap<&str, Color>) -> Result<Style, String> {
    let mut style = Style::default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*modifier);
        } else if word == "on" {
            let word = words.next().ok_or("a colour must follow `on`")?;
            style = style.bg(colour(word, palette)?);
        } else {
            style = style.fg(colour(word, palette)?);
        }
    }
    Ok(style)
}

/// A name of the palette, a basic colour, `#rrggbb`, or a number of the 256.
fn colour(word: &str, palette: &BTreeMap<&str, Color>) -> Result<Color, String> {
    let basic = || COLOURS.iter().find(|(name, _)| *name == word).map(|(_, colour)| *colour);
    let hex = || {
        let digits = word.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Color::Rgb(red, green, blue))
    };
    let indexed = || word.parse().ok().map(Color::Indexed);
    palette.get(word).copied().or_else(basic).or_else(hex).or_else(indexed).ok_or_else(|| {
        let names = palette.keys().copied().chain(COLOURS.map(|(name, _)| name)).chain(MODIFIERS.map(|(name, _)| name));
        match nearest(word, names) {
            Some(near) => format!("`{word}` is no colour; did you mean `{near}`?"),
            None => format!("`{word}` is no colour: write a name such as `red`, a number from 0 to 255, or `#rrggbb`"),
        }
    })
}
