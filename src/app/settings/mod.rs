//! The whole configuration: one TOML file, environment variables over it, the command line over both.
//!
//! Two levels: [`Overrides`] is exactly what was written on the command line or in the environment, [`Settings`] is
//! what counts. A mistake in the file is an error with file, line and the nearest valid name.

mod look;
mod paths;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

pub use look::{look, zone};
pub use paths::Paths;

use super::keymap::line_of;
use crate::engine::settings::{AskProblem, EngineSettings, PatchProblem, PolicyProblem};
use crate::nearest::{nearest, suggestion};

/// Asks for one environment variable.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where ASCII replaces other characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsciiChoice {
    /// By locale and terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the console is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// Name of the keymap.
    pub keymap: String,
    /// Name of the theme.
    pub theme: String,
    /// Where ASCII replaces other characters.
    pub ascii: AsciiChoice,
    /// Start with the mouse on.
    pub mouse: bool,
    /// Take away every command that acts.
    pub read_only: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            keymap: "default".to_owned(),
            theme: "dark".to_owned(),
            ascii: AsciiChoice::Auto,
            mouse: false,
            read_only: false,
        }
    }
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The `[console]` section.
    pub console: ConsoleSettings,
    /// All others.
    pub engine: EngineSettings,
}

/// What was written on the command line or in the environment. Absent means: whatever the next lower level says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The configuration file (`--config`, `HYPO_CONFIG`); unlike the usual one it must exist.
    pub config: Option<PathBuf>,
    /// The state directory (`--state-dir`, `HYPO_STATE_DIR`).
    pub state_dir: Option<PathBuf>,
    /// Name of the keymap (`--keymap`, `HYPO_KEYMAP`).
    pub keymap: Option<String>,
    /// Name of the theme (`--theme`, `HYPO_THEME`).
    pub theme: Option<String>,
    /// ASCII only, or never (`--ascii`, `HYPO_ASCII`).
    pub is_ascii: Option<bool>,
    /// Start with the mouse on (`--mouse`, `HYPO_MOUSE`).
    pub is_mouse_on: Option<bool>,
    /// Take away every command that acts (`--read-only`, `HYPO_READ_ONLY`).
    pub is_read_only: Option<bool>,
}

/// Settings with where they and everything else are.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What counts.
    pub settings: Settings,
    /// Where things are.
    pub paths: Paths,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No home directory, so no place for a configuration.
    #[error("no home directory is known; set HOME, or give --config and --state-dir")]
    NoHome,
    /// The file cannot be read.
    #[error("cannot read {path}: {problem}; make it readable, or name another with --config")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The file is wrong.
    #[error("{file}:{line}: {text}")]
    Invalid {
        /// Which file.
        file: String,
        /// Which line, from 1; 0 where none can be named.
        line: u32,
        /// What is wrong and what would be right.
        text: String,
    },
    /// An environment variable is wrong.
    #[error("{name}={value} is neither yes nor no; write 1 or 0")]
    NoSwitch {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl Overrides {
    /// Reads the `HYPO_*` variables.
    ///
    /// # Errors
    /// When a yes-or-no variable is neither.
    pub fn from_environment(variable: Variable<'_>) -> Result<Self, SettingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let switch = |name: &'static str| {
            let Some(value) = set(name) else { return Ok(None) };
            match value.to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(Some(true)),
                "0" | "false" | "no" | "off" => Ok(Some(false)),
                _ => Err(SettingsError::NoSwitch { name, value }),
            }
        };
        Ok(Self {
            config: set("HYPO_CONFIG").map(PathBuf::from),
            state_dir: set("HYPO_STATE_DIR").map(PathBuf::from),
            keymap: set("HYPO_KEYMAP"),
            theme: set("HYPO_THEME"),
            is_ascii: switch("HYPO_ASCII")?,
            is_mouse_on: switch("HYPO_MOUSE")?,
            is_read_only: switch("HYPO_READ_ONLY")?,
        })
    }

    /// `self` where it says something, else `lower`.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            config: self.config.or(lower.config),
            state_dir: self.state_dir.or(lower.state_dir),
            keymap: self.keymap.or(lower.keymap),
            theme: self.theme.or(lower.theme),
            is_ascii: self.is_ascii.or(lower.is_ascii),
            is_mouse_on: self.is_mouse_on.or(lower.is_mouse_on),
            is_read_only: self.is_read_only.or(lower.is_read_only),
        }
    }

    fn apply(&self, console: &mut ConsoleSettings) {
        if let Some(keymap) = &self.keymap {
            console.keymap.clone_from(keymap);
        }
        if let Some(theme) = &self.theme {
            console.theme.clone_from(theme);
        }
        match self.is_ascii {
            Some(true) => console.ascii = AsciiChoice::Always,
            Some(false) => console.ascii = AsciiChoice::Never,
            None => {}
        }
        console.mouse = self.is_mouse_on.unwrap_or(console.mouse);
        console.read_only = self.is_read_only.unwrap_or(console.read_only);
    }
}

/// Settles everything: command line over environment over file over defaults. No file at the usual place means
/// defaults; a file that was named must be there.
///
/// # Errors
/// When the file cannot be read or is wrong, a variable is wrong, or there is no home directory.
pub fn load(command_line: Overrides, variable: Variable<'_>) -> Result<Loaded, SettingsError> {
    let overrides = command_line.over(Overrides::from_environment(variable)?);
    let paths = Paths::find(&overrides)?;
    let mut settings = match std::fs::read_to_string(&paths.config_file) {
        Ok(text) => parse(&paths.config_file.display().to_string(), &text)?,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound && overrides.config.is_none() => {
            Settings::default()
        }
        Err(problem) => return Err(SettingsError::Unreadable { path: paths.config_file, problem }),
    };
    overrides.apply(&mut settings.console);
    // The same for everybody, wherever it is started: an engine in the background runs in the root folder.
    for path in settings.engine.paths_mut() {
        *path = paths.config_dir.join(&*path);
    }
    // A console that may not act has an engine that does not act by itself either.
    settings.engine.runbooks.observe_only |= settings.console.read_only;
    Ok(Loaded { settings, paths })
}

/// Reads the text of a configuration file; `file` names it in errors.
///
/// # Errors
/// When it is no TOML, a key is unknown, or a value is of the wrong kind; the error names the line.
pub fn parse(file: &str, text: &str) -> Result<Settings, SettingsError> {
    let invalid = |error: &toml::de::Error| SettingsError::Invalid {
        file: file.to_owned(),
        line: line_of(text, error.span()),
        text: explain(error.message()),
    };
    let mut table = DeTable::parse(text).map_err(|error| invalid(&error))?;
    let console = table.get_mut().remove("console");
    let console = match console {
        Some(value) => ConsoleSettings::deserialize(ValueDeserializer::from(value)).map_err(|error| invalid(&error))?,
        None => ConsoleSettings::default(),
    };
    let policy = table.get_ref().get("policy").cloned();
    let patches = table.get_ref().get("patches").cloned();
    let ask = table.get_ref().get("ask").cloned();
    let mut engine = EngineSettings::deserialize(Deserializer::from(table)).map_err(|error| invalid(&error))?;
    engine.policy.check().map_err(|problem| SettingsError::Invalid {
        file: file.to_owned(),
        line: line_of(text, policy.and_then(|policy| span_of(&policy, &problem))),
        text: problem.to_string(),
    })?;
    engine.patches.check().map_err(|problem| SettingsError::Invalid {
        file: file.to_owned(),
        line: line_of(text, patches.and_then(|patches| span_in_patches(&patches, &problem))),
        text: problem.to_string(),
    })?;
    engine.ask.check().map_err(|problem| SettingsError::Invalid {
        file: file.to_owned(),
        line: line_of(text, ask.and_then(|ask| span_in_ask(&ask, &problem))),
        text: problem.to_string(),
    })?;
    for path in engine.paths_mut() {
        if starts_at_home(path) {
            let path = path.display().to_string();
            let span = DeTable::parse(text).ok().and_then(|table| span_of_text(table.get_ref().values(), &path));
            let line = line_of(text, span);
            let first = path.split('/').next().unwrap_or_default();
            let text = format!("`{path}` would begin with a folder called `{first}`; write the whole path");
            return Err(SettingsError::Invalid { file: file.to_owned(), line, text });
        }
    }
    Ok(Settings { console, engine })
}

/// True for what only a shell would take for a home.
fn starts_at_home(path: &Path) -> bool {
    path.components().next().is_some_and(|first| first.as_os_str().as_encoded_bytes().starts_with(b"~"))
}

/// Where in the file a value is this text.
fn span_of_text<'v>(values: impl IntoIterator<Item = &'v Spanned<DeValue<'v>>>, wanted: &str) -> Option<Range<usize>> {
    values.into_iter().find_map(|value| match value.get_ref() {
        DeValue::String(known) if known == wanted => Some(value.span()),
        DeValue::Array(values) => span_of_text(values.iter(), wanted),
        DeValue::Table(table) => span_of_text(table.values(), wanted),
        _ => None,
    })
}

/// Where in the file the value stands that is wrong.
fn span_of(policy: &Spanned<DeValue<'_>>, problem: &PolicyProblem) -> Option<Range<usize>> {
    let value = policy.get_ref().get(problem.key)?;
    let one = problem.index.and_then(|index| value.get_ref().get(index));
    Some(one.unwrap_or(value).span())
}

/// The same for what stands under `[patches]`.
fn span_in_patches(patches: &Spanned<DeValue<'_>>, problem: &PatchProblem) -> Option<Range<usize>> {
    let value = patches.get_ref().get(problem.section)?;
    let one = match (problem.key, problem.index) {
        (Some(key), _) => value.get_ref().get(key),
        (None, Some(index)) => value.get_ref().get(index),
        (None, None) => None,
    };
    Some(one.unwrap_or(value).span())
}

/// The same for what stands under `[ask.model]`.
fn span_in_ask(ask: &Spanned<DeValue<'_>>, problem: &AskProblem) -> Option<Range<usize>> {
    let model = ask.get_ref().get("model")?;
    Some(model.get_ref().get(problem.key).unwrap_or(model).span())
}

/// Makes "unknown field `a`, expected one of `b`, `c`" name the likely one instead of all of them, and says what is wrong with
/// brackets in words of the file.
fn explain(message: &str) -> String {
    if message == "invalid type: map, expected a sequence" {
        return "a section that can be repeated takes two pairs of brackets, such as [[prometheus]]".to_owned();
    }
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(written) = names.next() else { return message.to_owned() };
    let known: Vec<&str> = names.chain(["console"]).collect();
    let all = keys_by_section();
    let mut sections: Vec<&str> = all.iter().filter(|(_, key)| *key == written).map(|(section, _)| *section).collect();
    sections.dedup();
    if !sections.is_empty() {
        let sections = sections.join(" or ");
        return format!(
            "there is no key `{written}` here; it belongs under {sections}, so take the # off that line too"
        );
    }
    let here = suggestion(written, known.iter().copied());
    if !here.is_empty() {
        return format!("there is no key `{written}`{here}");
    }
    // Nearly a key of another section.
    match nearest(written, all.iter().map(|(_, key)| *key)) {
        Some(meant) => {
            let section = all.iter().find(|(_, key)| *key == meant).map_or("", |(section, _)| section);
            format!("there is no key `{written}` here; did you mean `{meant}` under {section}?")
        }
        None => format!("there is no key `{written}`; `hypo config init` writes a file with all of them"),
    }
}

/// Every key of the default file with the section it stands in: `[console]`, `keymap`.
fn keys_by_section() -> Vec<(&'static str, &'static str)> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in default_config().lines().filter_map(|line| line.strip_prefix('#')) {
        let end = line.find("  # example").unwrap_or(line.len());
        match line.split_once(" = ") {
            _ if line.starts_with('[') => section = line.get(..end).unwrap_or(line),
            Some((key, _)) if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') => keys.push((section, key)),
            _ => {}
        }
    }
    keys
}

/// The commented default file: every key with what it means, nothing set.
#[must_use]
pub fn default_config() -> &'static str {
    include_str!("default.toml")
}

/// The file that is read where none is named.
#[must_use]
pub fn usual_config_file(config_dir: &Path) -> PathBuf {
    config_dir.join("config.toml")
}

#[cfg(test)]
mod tests;
