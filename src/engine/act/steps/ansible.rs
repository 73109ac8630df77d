//! Runs a playbook by the system's `ansible-playbook`: a plain file of the configured folder, limited to hosts, with
//! variables that stay text. How it went is read from its recap, not from its exit code alone.

mod hosts;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

use super::process::{self, End, Program};
use super::run_command::{CommandRules, trust};
use super::{Attempt, not_started, stopped};
use crate::engine::input::StepProgress;
use crate::engine::model::Play;
use crate::engine::settings::AnsibleSettings;

/// Exit codes of `ansible-playbook`, also where it left with another one.
const A_TASK_FAILED: i32 = 2;
/// A host was not reached.
const UNREACHABLE: i32 = 4;

/// Runs the playbook to its end, its timeout or its stop.
pub async fn run(play: &Play, rules: &CommandRules, settings: &AnsibleSettings, attempt: &Attempt) -> StepProgress {
    let prepared = Variables::write(play).and_then(|vars| Ok((program(play, rules, settings, &vars)?, vars)));
    // The file of variables lives as long as the playbook runs.
    let (program, _vars) = match prepared {
        Ok(prepared) => prepared,
        Err(reason) => return not_started(reason),
    };
    if let Err(reason) = hosts::check(&program, attempt).await {
        return not_started(reason);
    }
    let ended = process::run(&program, attempt, None).await;
    let recap = Recap::read(&ended.last);
    match ended.end {
        End::NotStarted(reason) => not_started(reason),
        End::Stopped(reason) => stopped(reason),
        End::Exited(code) => judge(code, recap, attempt).await,
    }
}

async fn judge(code: Option<i32>, recap: Recap, attempt: &Attempt) -> StepProgress {
    let took_ms = attempt.took_ms();
    let exited = |code| StepProgress::Exited { code, took_ms };
    match recap {
        Recap { host_count: 0, .. } if code == Some(0) => {
            not_started("no host matched the limit and the playbook's own hosts, so nothing was done")
        }
        Recap { unreachable, .. } if unreachable > 0 => {
            attempt.say(&format!("hosts that were not reached: {unreachable}")).await;
            exited(code.map(|code| if code == 0 { UNREACHABLE } else { code }))
        }
        Recap { failed, .. } if failed > 0 => {
            attempt.say(&format!("hosts on which a task failed: {failed}")).await;
            exited(code.map(|code| if code == 0 { A_TASK_FAILED } else { code }))
        }
        _ => exited(code),
    }
}

fn program(play: &Play, rules: &CommandRules, settings: &AnsibleSettings, vars: &Variables) -> Result<Program, String> {
    let (playbook, inventory) = check_files(play, settings)?;
    let path = rules.resolve("ansible-playbook")?;
    let mut arguments = vec![OsString::from("-i"), inventory.into_os_string()];
    arguments.push(OsString::from(format!("--limit={}", play.limit)));
    if play.is_check {
        arguments.extend(["--check", "--diff"].map(OsString::from));
    }
    if let Some(path) = &vars.0 {
        let mut at = OsString::from("@");
        at.push(path);
        arguments.extend([OsString::from("-e"), at]);
    }
    arguments.push(playbook.into_os_string());
    let mut environment = rules.environment();
    environment.retain(|(name, _)| !name.starts_with("ANSIBLE_") && !name.starts_with("LC_") && name != "LANG");
    let forks = settings.forks.max(1).to_string();
    let pinned = [
        ("ANSIBLE_NOCOWS", "1"),
        ("ANSIBLE_NOCOLOR", "1"),
        ("ANSIBLE_FORCE_COLOR", "0"),
        ("ANSIBLE_HOST_KEY_CHECKING", "True"),
        ("ANSIBLE_RETRY_FILES_ENABLED", "False"),
        ("ANSIBLE_STDOUT_CALLBACK", "default"),
        ("ANSIBLE_DISPLAY_SKIPPED_HOSTS", "True"),
        ("ANSIBLE_FORKS", forks.as_str()),
        // Ansible refuses to start without it.
        ("LC_ALL", "C.UTF-8"),
    ];
    environment.extend(pinned.map(|(name, value)| (name.to_owned(), OsString::from(value))));
    Ok(Program { path, arguments, environment })
}

/// The playbook and the inventory, where they are there and the limit may be given.
pub(in crate::engine::act) fn check_files(
    play: &Play,
    settings: &AnsibleSettings,
) -> Result<(PathBuf, PathBuf), String> {
    let playbook = playbook(&play.what, settings)?;
    check_limit(&play.limit)?;
    let inventory = settings.inventory.as_ref().filter(|path| path.is_absolute());
    let missing = || "`inventory` under [runbooks.ansible] is missing or no absolute path".to_owned();
    Ok((playbook, inventory.cloned().ok_or_else(missing)?))
}

/// The playbook's file: in the folder itself, no link, and nobody else's to change.
fn playbook(name: &str, settings: &AnsibleSettings) -> Result<PathBuf, String> {
    let folder = settings
        .folder
        .as_ref()
        .filter(|folder| folder.is_absolute())
        .ok_or_else(|| "`folder` under [runbooks.ansible] is missing or no absolute path".to_owned())?;
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && (name.ends_with(".yml") || name.ends_with(".yaml"));
    if !is_plain {
        return Err(format!("`{}` is no plain name of a playbook, such as restart.yml", name.escape_debug()));
    }
    let path = folder.join(name);
    let facts = path.symlink_metadata().map_err(|problem| format!("`{}`: {problem}", path.display()))?;
    if !facts.is_file() {
        return Err(format!("`{}` is a link or no file; playbooks lie in their folder themselves", path.display()));
    }
    trust(&path)?;
    Ok(path)
}

/// Refuses what Ansible would take for an option, a file or an expression.
pub(super) fn check_limit(limit: &str) -> Result<(), String> {
    let is_of_pattern = |c: char| c.is_ascii_alphanumeric() || ".-_:,*[]!&".contains(c);
    let is_pattern = limit.starts_with(|c: char| c.is_ascii_alphanumeric()) && limit.chars().all(is_of_pattern);
    if is_pattern { Ok(()) } else { Err(format!("`{}` is no pattern of hosts", limit.escape_debug())) }
}

/// The file with the variables, which is taken away at the end.
struct Variables(Option<PathBuf>);

impl Variables {
    fn write(play: &Play) -> Result<Self, String> {
        if play.vars.is_empty() {
            return Ok(Self(None));
        }
        let text = as_yaml(play)?;
        let mut bytes = [0_u8; 12];
        SystemRandom::new().fill(&mut bytes).map_err(|_| "this machine gives no random numbers".to_owned())?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("hypo-vars-{name}.yml"));
        let cannot = |problem: std::io::Error| format!("`{}` cannot be written: {problem}", path.display());
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(cannot)?;
        let written = Self(Some(path.clone()));
        file.write_all(text.as_bytes()).map_err(cannot)?;
        Ok(written)
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(problem) = std::fs::remove_file(path)
        {
            tracing::warn!(%problem, path = %path.display(), "a file of variables is left behind");
        }
    }
}

/// The variables as YAML, each marked so that Ansible takes it for text whatever braces are in it.
fn as_yaml(play: &Play) -> Result<String, String> {
    let mut yaml = String::from("---\n");
    for (name, value) in &play.vars {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !is_reserved(name);
        if !is_name {
            return Err(format!("`{}` is no name for a variable of a playbook", name.escape_debug()));
        }
        // Writing into a String does not fail.
        let _written = writeln!(yaml, "{name}: !unsafe {}", yaml_text(value));
    }
    Ok(yaml)
}

/// Names by which Ansible is told how to reach hosts, and those that it fills itself.
fn is_reserved(name: &str) -> bool {
    name.starts_with("ansible_")
        || ["hostvars", "groups", "group_names", "inventory_hostname", "vars", "environment", "omit", "play_hosts"]
            .contains(&name)
}

/// A YAML text in double quotes, with everything but plain ASCII written as its number.
fn yaml_text(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        let number = u32::from(character);
        // Writing into a String does not fail.
        let _written = match character {
            '"' | '\\' => write!(text, "\\{character}"),
            ' '..='~' => write!(text, "{character}"),
            _ if number <= 0xff => write!(text, "\\x{number:02x}"),
            _ if number <= 0xffff => write!(text, "\\u{number:04x}"),
            _ => write!(text, "\\U{number:08x}"),
        };
    }
    text.push('"');
    text
}

/// What the end of the output says of the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Recap {
    host_count: u32,
    unreachable: u32,
    failed: u32,
}

impl Recap {
    fn read(lines: &[Arc<str>]) -> Self {
        let start = lines.iter().rposition(|line| line.starts_with("PLAY RECAP")).map_or(lines.len(), |at| at + 1);
        let mut recap = Self::default();
        for line in lines[start..].iter().filter(|line| line.contains(" ok=")) {
            let count = |key: &str| {
                let (_, rest) = line.split_once(key)?;
                let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
                digits.parse::<u32>().ok()
            };
            recap.host_count += 1;
            // A figure that is not there is not nought.
            recap.unreachable += u32::from(count(" unreachable=").is_none_or(|hosts| hosts > 0));
            recap.failed += u32::from(count(" failed=").is_none_or(|tasks| tasks > 0));
        }
        recap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recap(text: &str) -> (u32, u32, u32) {
        let lines: Vec<Arc<str>> = text.lines().map(Arc::from).collect();
        let recap = Recap::read(&lines);
        (recap.host_count, recap.unreachable, recap.failed)
    }

    #[test]
    fn the_recap_tells_of_every_host() {
        let head = "TASK [x] ***\nok: [a]\nPLAY RECAP *********\n";
        let line = "a : ok=2 changed=1 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0\n";
        assert_eq!(recap(&format!("{head}{line}")), (1, 0, 0));
        assert_eq!(recap(&format!("{head}{line}b : ok=0 changed=0 unreachable=1 failed=0")), (2, 1, 0));
        assert_eq!(recap(&format!("{head}{line}b : ok=0 changed=0 unreachable=0 failed=3")), (2, 0, 1));
        assert_eq!(recap(&format!("{head}a : ok=2 changed=1")), (1, 1, 1));
        assert_eq!(recap("skipping: no hosts matched\nPLAY RECAP ****\n"), (0, 0, 0));
        assert_eq!(recap(line), (0, 0, 0), "only behind its head");
    }

    #[test]
    fn what_is_no_plain_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = AnsibleSettings { folder: Some(folder.path().to_owned()), ..AnsibleSettings::default() };
        std::fs::write(folder.path().join("good.yml"), "[]").unwrap();
        std::os::unix::fs::symlink(folder.path().join("good.yml"), folder.path().join("link.yml")).unwrap();
        assert!(playbook("good.yml", &settings).is_ok());
        for name in [
            "",
            "link.yml",
            "../good.yml",
            "/etc/x.yml",
            "-i.yml",
            ".hidden.yml",
            "good",
            "a b.yml",
            "none.yml",
            "good.yml\n",
        ] {
            assert!(playbook(name, &settings).is_err(), "{name}");
        }
        for limit in ["", "-i", "@hosts", "~web.*", "all;id", "a b", "{{ x }}", "web\n", "!web"] {
            assert!(check_limit(limit).is_err(), "{limit}");
        }
        for limit in ["web-1", "web:&eu:!web-3", "10.0.3.7", "web[1:3]", "web-*,db-1"] {
            assert_eq!(check_limit(limit), Ok(()), "{limit}");
        }
    }

    #[test]
    fn names_that_change_how_hosts_are_reached_are_no_variables() {
        for name in ["ansible_connection", "hostvars", "a-b", "1a", "", "a b", "_x"] {
            let vars = std::collections::BTreeMap::from([(Arc::from(name), Arc::from("v"))]);
            let play = Play { what: "x.yml".into(), limit: "all".into(), vars, is_check: false };
            assert!(as_yaml(&play).is_err(), "{name}");
        }
        assert_eq!(yaml_text("a\"b\\\n\u{7f}é東\u{1f600}"), r#""a\"b\\\x0a\x7f\xe9\u6771\U0001f600""#);
    }
}
