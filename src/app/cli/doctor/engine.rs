//! Whether consoles can reach an engine here, who is there, and whether one in the background outlives a logout. Facts that are
//! read; nothing is started.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::Check;
use crate::app::attach::line::{self, LineProblem};
use crate::app::attach::way::is_nobody;
use crate::app::cli::{Failure, console, serving, tokio_runtime};
use crate::app::settings::Loaded;
use crate::engine::attach::hello::{Hello, Wants};

/// What logind of systemd reads, what counts more later.
const LOGIND_FILES: [&str; 4] = [
    "/usr/lib/systemd/logind.conf",
    "/usr/lib/systemd/logind.conf.d",
    "/etc/systemd/logind.conf",
    "/etc/systemd/logind.conf.d",
];
/// Where it keeps whose processes stay after their last logout.
const LINGER: &str = "/var/lib/systemd/linger";

/// Something of the engine that was looked at.
#[derive(Serialize)]
pub(super) struct EngineCheck {
    /// What: `socket`, `background`.
    pub(super) subject: &'static str,
    #[serde(flatten)]
    pub(super) check: Check,
}

/// Looks at the socket and at what becomes of an engine at a logout.
pub(super) fn check(loaded: &Loaded) -> Result<Vec<EngineCheck>, Failure> {
    let (socket, pid) = socket(loaded)?;
    let process = pid.map_or("self".to_owned(), |pid| pid.to_string());
    // Without the file there are no such groups here.
    let group = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
    let user = console::operator();
    let is_lingering = Path::new(LINGER).join(&user).exists();
    let background = background(&group, &user, kills(&logind(), &user), is_lingering);
    Ok(vec![EngineCheck { subject: "socket", check: socket }, EngineCheck { subject: "background", check: background }])
}

/// Who listens at the socket, and whether nobody else could put one there.
fn socket(loaded: &Loaded) -> Result<(Check, Option<i32>), Failure> {
    let place = serving::place(loaded);
    let at = place.socket().display().to_string();
    let wrong = |text: String| Ok((Check { is_fine: false, text }, None));
    let is_made = place.socket().parent().is_some_and(Path::exists);
    if let (true, Err(problem)) = (is_made, place.check()) {
        return wrong(problem.to_string());
    }
    let greeted = tokio_runtime()?.block_on(async { line::greeting(place.connect().await?).await });
    match greeted {
        Ok(greeting) => {
            let text =
                format!("hypo {} pid {} listens at {at} since {}", greeting.version, greeting.pid, greeting.since);
            let suits = greeting.suits(&Hello::new(Wants::Attach { cap: None }));
            let check = match suits {
                Ok(()) => Check { is_fine: true, text },
                Err(problem) => Check { is_fine: false, text: problem.to_string() },
            };
            Ok((check, Some(greeting.pid)))
        }
        Err(LineProblem::NoEngine(problem)) if is_nobody(&problem) => {
            Ok((Check { is_fine: true, text: format!("no engine listens at {at}") }, None))
        }
        Err(problem) => wrong(format!("{at}: {problem}")),
    }
}

/// The lines of logind's configuration in the order in which they count.
fn logind() -> Vec<String> {
    let mut lines = Vec::new();
    for path in LOGIND_FILES.map(Path::new) {
        let mut files = match fs::read_dir(path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![path.to_owned()],
        };
        files.sort();
        // What is not there sets nothing.
        let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
        lines.extend(texts.flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()));
    }
    lines
}

/// Whether logind ends what this user leaves running at a logout; `None` where no file says so.
fn kills(lines: &[String], user: &str) -> Option<bool> {
    let set = |key: &str| lines.iter().rev().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
    let names = |key: &str| set(key).map(|value| value.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let is_named = |names: &[String]| names.iter().any(|name| name == user);
    let left_alone = names("KillExcludeUsers").unwrap_or_else(|| vec!["root".to_owned()]);
    let only = names("KillOnlyUsers").unwrap_or_default();
    if is_named(&left_alone) || (!only.is_empty() && !is_named(&only)) {
        return Some(false);
    }
    set("KillUserProcesses").map(|value| matches!(value.trim().to_lowercase().as_str(), "yes" | "true" | "on" | "1"))
}

/// What becomes of an engine of this control group once its user logs out.
fn background(group: &str, user: &str, kills: Option<bool>, is_lingering: bool) -> Check {
    let is_of_session = group.contains("/session-");
    let is_of_manager = group.contains("/user@") && !is_of_session;
    let (is_fine, text) = match (is_of_session, is_of_manager, kills) {
        (true, _, Some(true)) => (
            false,
            format!(
                "logind ends what {user} leaves running at a logout (KillUserProcesses), an engine in the background too; \
                 run it as a service (`hypo serve`) or set KillUserProcesses=no"
            ),
        ),
        (true, _, Some(false)) => (true, format!("what {user} leaves running goes on after a logout")),
        (true, _, None) => (
            true,
            "no file of logind sets KillUserProcesses, and what it is then differs between systems; KillUserProcesses=no \
             lets an engine in the background go on after a logout"
                .to_owned(),
        ),
        (_, true, _) if !is_lingering => (
            false,
            format!("what the manager of {user} runs ends with that user's last logout; run: loginctl enable-linger {user}"),
        ),
        (_, true, _) => (true, format!("{user} lingers, so that an engine goes on after the last logout")),
        _ => (true, "an engine here belongs to no login, so that no logout ends it".to_owned()),
    };
    Check { is_fine, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0::/user.slice/user-1000.slice/session-4.scope\n";
    const MANAGER: &str = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/hypo.service\n";
    const SERVICE: &str = "0::/system.slice/hypo.service\n";

    #[test]
    fn what_becomes_of_an_engine_at_a_logout_is_told_with_a_remedy() {
        for (group, kills, is_lingering, is_fine, says) in [
            (SESSION, Some(true), true, false, "KillUserProcesses=no"),
            (SESSION, Some(false), false, true, "goes on after a logout"),
            (SESSION, None, false, true, "differs between systems"),
            (MANAGER, Some(true), false, false, "loginctl enable-linger ana"),
            (MANAGER, None, true, true, "ana lingers"),
            (SERVICE, Some(true), false, true, "belongs to no login"),
            ("", None, false, true, "belongs to no login"),
        ] {
            let Check { is_fine: found, text } = background(group, "ana", kills, is_lingering);
            assert!(found == is_fine && text.contains(says), "{group} {kills:?} {is_lingering}: {text}");
        }
    }

    #[test]
    fn the_last_setting_counts_and_some_users_are_left_alone() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        for (text, user, expected) in [
            ("[Login]\n#KillUserProcesses=yes", "ana", None),
            ("KillUserProcesses=no\nKillUserProcesses = yes", "ana", Some(true)),
            ("KillUserProcesses=yes\nKillUserProcesses=no", "ana", Some(false)),
            ("KillUserProcesses=yes", "root", Some(false)),
            ("KillUserProcesses=yes\nKillExcludeUsers=ana bob", "ana", Some(false)),
            ("KillUserProcesses=yes\nKillExcludeUsers=", "root", Some(true)),
            ("KillUserProcesses=yes\nKillOnlyUsers=bob", "ana", Some(false)),
            ("KillUserProcesses=yes\nKillOnlyUsers=bob", "bob", Some(true)),
        ] {
            assert_eq!(kills(&lines(text), user), expected, "{text} {user}");
        }
    }
}
