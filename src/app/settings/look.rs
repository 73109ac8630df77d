//! From settings to how the console looks on this terminal: keymap and theme read, characters and colours settled.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;

use super::{AsciiChoice, ConsoleSettings, Variable};
use crate::app::keymap::Keymap;
use crate::app::options::ConsoleOptions;
use crate::app::terminal::ascii::is_ascii_only;
use crate::app::terminal::colour_depth::ColourDepth;
use crate::engine::snapshot::FileProblem;
use crate::views::context::Glyphs;
use crate::views::theme::{SHIPPED, Theme};

/// Reads what the settings name; what cannot be read is a problem on the screen, never an exit.
#[must_use]
pub fn look(settings: &ConsoleSettings, look_dir: &Path, variable: Variable<'_>) -> ConsoleOptions {
    let (keymap, mut file_problems) = Keymap::load(&settings.keymap, Some(&look_dir.join("keymaps")));
    let (theme, problems) = theme(&settings.theme, &look_dir.join("themes"));
    file_problems.extend(problems);
    let is_ascii = match settings.ascii {
        AsciiChoice::Auto => is_ascii_only(variable),
        AsciiChoice::Always => true,
        AsciiChoice::Never => false,
    };
    let is_tmux = variable("TMUX").is_some_and(|value| !value.is_empty());
    ConsoleOptions {
        keymap,
        theme,
        glyphs: Glyphs { is_ascii },
        depth: ColourDepth::detect(variable),
        is_read_only: settings.read_only,
        is_mouse_on: settings.mouse,
        is_remote: is_tmux || variable("SSH_CONNECTION").is_some_and(|value| !value.is_empty()),
        is_tmux,
        zone: zone(variable),
        file_problems,
        left_off: None,
    }
}

/// This machine's zone: what TZ says, else where /etc/localtime points to, else UTC.
#[must_use]
pub fn zone(variable: Variable<'_>) -> Tz {
    let of_variable = variable("TZ").and_then(|name| name.trim_start_matches(':').parse().ok());
    let of_link = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        let (_, name) = target.to_str()?.split_once("zoneinfo/")?;
        name.parse().ok()
    };
    of_variable.or_else(of_link).unwrap_or(Tz::UTC)
}

/// A shipped theme, or one's own file of that name; the file goes on top of the shipped one of the same name.
fn theme(name: &str, folder: &Path) -> (Theme, Vec<FileProblem>) {
    let path = folder.join(format!("{name}.toml"));
    let file = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let is_shipped = SHIPPED.iter().any(|(shipped, _)| *shipped == name);
            Theme::load(if is_shipped { name } else { SHIPPED[0].0 }, Some((&file, &text)))
        }
        Err(problem) if problem.kind() == ErrorKind::NotFound => Theme::load(name, None),
        Err(problem) => {
            let (theme, mut problems) = Theme::load(name, None);
            let text = Arc::from(format!("it cannot be read: {problem}"));
            problems.push(FileProblem { file: file.into(), line: 0, text });
            (theme, problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_files_leave_a_console_that_works() {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["keymaps", "themes"] {
            std::fs::create_dir(folder.path().join(kind)).unwrap();
            std::fs::write(folder.path().join(kind).join("mine.toml"), "this is = = no toml").unwrap();
        }
        let settings = ConsoleSettings { keymap: "mine".into(), theme: "mine".into(), ..ConsoleSettings::default() };
        let options = look(&settings, folder.path(), &|_| None);
        let files: Vec<&str> = options.file_problems.iter().map(|problem| problem.file.as_ref()).collect();
        assert!(files.iter().any(|file| file.ends_with("keymaps/mine.toml")), "{files:?}");
        assert!(files.iter().any(|file| file.ends_with("themes/mine.toml")), "{files:?}");
        assert_eq!(options.keymap, Keymap::load("default", None).0);
        assert_eq!(options.theme, Theme::default());
    }

    #[test]
    fn the_terminal_and_the_line_are_read_from_the_environment() {
        let environment = |name: &str| match name {
            "TERM" => Some("tmux-256color".to_owned()),
            "LANG" => Some("en_GB.UTF-8".to_owned()),
            "TMUX" => Some("/tmp/tmux-0/default,1,0".to_owned()),
            _ => None,
        };
        let options = look(&ConsoleSettings::default(), Path::new("/nowhere"), &environment);
        assert_eq!((options.depth, options.glyphs.is_ascii), (ColourDepth::Cube, false));
        assert!(options.is_tmux && options.is_remote && options.file_problems.is_empty());
    }
}
