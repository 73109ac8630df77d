//! Runs a command on another machine, over the system's `ssh`.
//!
//! The far end is a small script of ours in the user's POSIX shell there: it says that it is ready, begins only once it is
//! told to, and says how the command ended. So it is known whether a command that was not seen to end had begun: one that
//! was never told to begin has not; one that was and whose end was not told is unknown, never failed.
//!
//! A connection that breaks does not stop the command: without a terminal nothing there is told of it. What it writes is kept
//! there meanwhile, and it is connected to again and followed to its end ([`far_end`]). A stop is told to
//! the far end, which sends its command's process group (where `setsid` exists there, else its process) a TERM; a command
//! that does not end by that within the grace is unknown, too, for it may go on. Where nobody is there to tell it to stop, its
//! own watchdog ends it after the step's timeout; before anybody looks whether it had its effect, [`left_there`] does.

mod far_end;
pub mod left_there;

pub(super) use far_end::mark;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::process::{self, End, Ended, Program, Talk};
use super::run_command::CommandRules;
use super::{Attempt, BY_A_PERSON, lost, not_started, stopped};
use crate::engine::input::StepProgress;
use crate::engine::settings::SshSettings;

/// Between attempts to come back after a connection broke, in milliseconds.
const RECONNECT_MS: [u64; 6] = [1_000, 2_000, 5_000, 10_000, 20_000, 20_000];
/// Longest answer of what only looks.
const LOOK_BYTES_MAX: u64 = 67_108_864;
/// The kernel takes no longer argument, and ours is one.
const REMOTE_COMMAND_BYTES_MAX: usize = 120_000;

/// Runs `argv` on `host` to its end, its timeout or its stop.
pub async fn run(
    host: &str,
    argv: &[Arc<str>],
    rules: &CommandRules,
    settings: &SshSettings,
    attempt: &Attempt,
) -> StepProgress {
    let mut talk = Talk::new(far_end::mark_of(attempt.id()).unwrap_or_else(mark));
    // Whole seconds, and later than here: whoever is connected is to see it end.
    let limit_s = attempt.left().as_secs() + 1;
    let program = script(argv, &talk.mark, limit_s).and_then(|script| connection(host, &script, rules, settings));
    let program = match program {
        Ok(program) => program,
        Err(reason) => return not_started(reason),
    };
    let ended = process::run(&program, attempt, Some(&mut talk)).await;
    let is_cut_off = matches!(ended.end, End::Exited(_)) && talk.is_begun && talk.ended.is_none();
    let end = outcome(host, ended, &talk, attempt);
    if is_cut_off { follow(host, &talk, rules, settings, attempt).await.unwrap_or(end) } else { end }
}

/// Takes up again what a broken connection has left, until the attempt's time is over; `None` where that leads nowhere.
async fn follow(
    host: &str,
    first: &Talk,
    rules: &CommandRules,
    settings: &SshSettings,
    attempt: &Attempt,
) -> Option<StepProgress> {
    attempt.say(&format!("hypo: the connection to {host} broke; the command goes on there, connecting again")).await;
    let (mut has_told_lines, mut is_to_stop) = (first.line_count(), false);
    for wait in RECONNECT_MS.map(Duration::from_millis) {
        if wait >= attempt.left() {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // Nobody there can be told to stop until the connection is back, so that is what is tried next.
            () = attempt.stop.notified() => is_to_stop = true,
        }
        let mut talk = Talk::new(first.mark.clone());
        talk.is_to_stop = is_to_stop;
        let script = far_end::follow_script(&talk.mark, has_told_lines + 1);
        let program = connection(host, &script, rules, settings).ok()?;
        let ended = process::run(&program, attempt, Some(&mut talk)).await;
        has_told_lines += talk.line_count();
        match (&ended.end, talk.ended) {
            (_, Some(_)) if is_to_stop => {
                return Some(stopped(format!("{BY_A_PERSON}; the command on {host} has ended")));
            }
            (_, Some(_)) => return Some(outcome(host, ended, &talk, attempt)),
            (End::NotStarted(_) | End::Stopped(_), None) => return None,
            (End::Exited(_), None) if talk.is_gone => {
                return Some(lost(format!(
                    "the connection to {host} broke, and there is no trace of the command there any more: look on {host}"
                )));
            }
            (End::Exited(_), None) => {}
        }
    }
    None
}

/// What a script that only looks writes there, in all.
///
/// # Errors
/// When the host may not be reached, is not, does not answer within `limit`, or the script ends with another code than 0.
pub async fn look(
    host: &str,
    script: &str,
    rules: &CommandRules,
    settings: &SshSettings,
    limit: Duration,
) -> Result<String, String> {
    let program = connection(host, script, rules, settings)?;
    let looked = process::look(&program, limit, LOOK_BYTES_MAX).await?;
    if looked.code != Some(0) {
        let last = looked.stderr.lines().last().unwrap_or("it said nothing");
        return Err(format!("{host} was not looked at: {last:.200}"));
    }
    Ok(String::from_utf8_lossy(&looked.stdout).into_owned())
}

/// What is known of the command at the far end.
fn outcome(host: &str, ended: Ended, talk: &Talk, attempt: &Attempt) -> StepProgress {
    let said = ended.last.last().map(|line| format!("; ssh said: {line}")).unwrap_or_default();
    match (ended.end, talk.is_begun, talk.ended) {
        (End::NotStarted(reason), ..) => not_started(reason),
        (End::Stopped(reason), _, Some(_)) => stopped(format!("{reason}; the command on {host} has ended")),
        (_, _, Some(code)) => attempt.exited(code),
        // It was never told to begin, and does not by itself.
        (End::Exited(_), false, _) => not_started(format!("{host} was not reached; nothing was begun there{said}")),
        (End::Stopped(reason), false, _) => not_started(format!("{reason}, before anything was begun on {host}")),
        (End::Exited(_), true, _) => lost(format!(
            "the connection to {host} broke while the command ran there; it may have ended or still run: look on {host}{said}"
        )),
        (End::Stopped(reason), true, _) => lost(format!(
            "{reason}, but {host} did not say that the command has ended; it may still run there: look on {host}"
        )),
    }
}

/// The script that runs `argv` there, for at most so many seconds.
fn script(argv: &[Arc<str>], mark: &str, limit_s: u64) -> Result<String, String> {
    if argv.first().is_none_or(|program| program.is_empty()) {
        return Err("its command is empty".to_owned());
    }
    if argv.iter().any(|part| part.contains('\0')) {
        return Err("an argument holds a NUL, which no command line can carry".to_owned());
    }
    let remote = far_end::run_script(argv, mark, limit_s);
    if remote.len() > REMOTE_COMMAND_BYTES_MAX {
        return Err(format!(
            "its arguments are {} bytes as one line, of which ssh carries {REMOTE_COMMAND_BYTES_MAX}",
            remote.len()
        ));
    }
    Ok(remote)
}

/// The connection to `host` on which this script runs.
fn connection(host: &str, script: &str, rules: &CommandRules, settings: &SshSettings) -> Result<Program, String> {
    check_host(host, &settings.hosts)?;
    let path = rules.resolve("ssh")?;
    let mut arguments: Vec<OsString> = ["-F", "none", "-T"].map(OsString::from).to_vec();
    let seconds = (settings.connect_timeout.0 / 1_000).max(1);
    let options = [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "GlobalKnownHostsFile=none".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ForwardAgent=no".to_owned(),
        "ForwardX11=no".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "ControlMaster=no".to_owned(),
        "ControlPath=none".to_owned(),
        "ConnectionAttempts=1".to_owned(),
        "ServerAliveInterval=5".to_owned(),
        "ServerAliveCountMax=3".to_owned(),
        format!("ConnectTimeout={seconds}"),
    ];
    let known_hosts = settings.known_hosts.as_ref().map(|path| file_option("UserKnownHostsFile", path)).transpose()?;
    let identity = settings.identity_file.as_ref().map(|path| file_option("IdentityFile", path)).transpose()?;
    let only = identity.is_some().then(|| "IdentitiesOnly=yes".to_owned());
    for option in options.into_iter().chain(known_hosts).chain(identity).chain(only) {
        arguments.extend([OsString::from("-o"), OsString::from(option)]);
    }
    arguments.extend([OsString::from("-p"), OsString::from(settings.port.to_string())]);
    if let Some(user) = &settings.user {
        arguments.extend([OsString::from("-l"), OsString::from(user)]);
    }
    arguments.extend([OsString::from("--"), OsString::from(host), OsString::from(script)]);
    Ok(Program { path, arguments, environment: rules.environment() })
}

/// A file among the options. `ssh` takes blanks, percents and quotes in it for its own.
fn file_option(name: &str, path: &std::path::Path) -> Result<String, String> {
    let text =
        path.to_str().filter(|text| text.starts_with('/') && !text.contains(['%', '"', '\'', '\\', '\n', ' ', '$']));
    text.map(|text| format!("{name}={text}")).ok_or_else(|| {
        format!("`{}` under [runbooks.ssh] must be an absolute path without blanks and signs", path.display())
    })
}

/// Refuses what is no host's name, and hosts that the settings do not name.
pub(in crate::engine::act) fn check_host(host: &str, allowed: &[String]) -> Result<(), String> {
    let is_of_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let is_host = !host.is_empty()
        && host.len() <= 253
        && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
        && host.chars().all(is_of_host);
    if !is_host {
        return Err(format!("`{}` is no host's name", host.escape_debug()));
    }
    if allowed.iter().any(|pattern| fits(pattern, host)) {
        return Ok(());
    }
    Err(format!("`{host}` is not among `hosts` under [runbooks.ssh]; add it there if steps may go there"))
}

/// Whether the host fits: a `*` stands for any characters but a dot.
fn fits(pattern: &str, host: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern.eq_ignore_ascii_case(host) };
    let Some(rest) = host.get(..head.len()).filter(|start| start.eq_ignore_ascii_case(head)) else { return false };
    let rest = &host[rest.len()..];
    let until = rest.find('.').unwrap_or(rest.len());
    // The names are ASCII by now, so that every place is a boundary.
    (0..=until).any(|taken| fits(tail, &rest[taken..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_by_name_and_pattern_are_reached() {
        let allowed = ["web-*", "db-1.prod.example.com", "*.edge.example.com", "10.0.3.*", "::1"].map(str::to_owned);
        for host in ["web-1", "WEB-22", "db-1.prod.example.com", "a.edge.example.com", "10.0.3.7", "::1"] {
            assert_eq!(check_host(host, &allowed), Ok(()), "{host}");
        }
        for host in [
            "",
            "-oProxyCommand=id",
            "web-1.evil.example.com",
            "db-2",
            "a.b.edge.example.com",
            "10.0.3.7.evil.com",
            "root@web-1",
            "web-1 id",
            "web-1;id",
            "web-1\n",
            "web-$(id)",
            "[::1]",
            "wéb-1",
            "web-1/",
            "xweb-1",
        ] {
            assert!(check_host(host, &allowed).is_err(), "{host}");
        }
        assert!(check_host("web-1", &[]).unwrap_err().contains("[runbooks.ssh]"));
    }

    #[test]
    fn nothing_is_claimed_that_is_not_known() {
        let (reports, _end) = crate::engine::act::StepReportSink::channel();
        let run = crate::engine::model::RunId(1);
        let attempt = Attempt::new((run, 0), 1_000, Arc::default(), reports, Arc::new(|| false));
        let told = |end: End, is_begun: bool, ended: Option<i32>| {
            let mut talk = Talk::new(mark());
            (talk.is_begun, talk.ended) = (is_begun, ended);
            outcome("web-1", Ended { end, last: Vec::new() }, &talk, &attempt)
        };
        assert!(matches!(told(End::Exited(Some(255)), false, None), StepProgress::NotStarted { .. }));
        assert!(matches!(told(End::Exited(Some(255)), true, None), StepProgress::Lost { .. }));
        assert!(matches!(told(End::Exited(Some(255)), true, Some(255)), StepProgress::Exited { code: Some(255), .. }));
        assert!(matches!(told(End::Exited(None), true, Some(3)), StepProgress::Exited { code: Some(3), .. }));
        assert!(matches!(told(End::Stopped(String::new()), true, None), StepProgress::Lost { .. }));
        assert!(matches!(told(End::Stopped(String::new()), true, Some(143)), StepProgress::Stopped { .. }));
        assert!(matches!(told(End::Stopped(String::new()), false, None), StepProgress::NotStarted { .. }));
    }

    fn words(argv: &[&str]) -> Vec<Arc<str>> {
        argv.iter().map(|word| Arc::from(*word)).collect()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn no_host_and_no_value_becomes_an_option_of_ssh(host in "(?s).{0,30}", value in "(?s)[^\0]{0,60}") {
            let settings = SshSettings { hosts: vec!["*".to_owned(), host.clone()], ..SshSettings::default() };
            let rules = CommandRules::new(&crate::engine::settings::RunbookSettings {
                allowed_programs: vec!["ssh".to_owned()],
                ..Default::default()
            });
            let argv = words(&["echo", &value]);
            if let Ok(program) = script(&argv, "hypo-test", 60).and_then(|script| connection(&host, &script, &rules, &settings)) {
                let arguments = &program.arguments;
                let end = arguments.iter().position(|argument| argument == "--").unwrap();
                proptest::prop_assert_eq!(arguments.len(), end + 3);
                proptest::prop_assert!(!host.starts_with('-') && arguments[end + 1] == host.as_str());
                proptest::prop_assert!(arguments[..end].iter().all(|argument| !argument.to_string_lossy().contains(&*value) || value.len() < 12));
            }
        }
    }
}
