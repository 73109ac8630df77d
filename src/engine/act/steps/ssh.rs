//! Runs a command on another machine, over the system's `ssh`.
//!
//! The far end is a small script of ours in the user's POSIX shell there: it says that it is ready, begins only once it is
//! told to, and says how the command ended. So it is known whether a command that was not seen to end had begun: one that
//! was never told to begin has not; one that was and whose end was not told is unknown, never failed.
//!
//! A connection that breaks does not stop the command: without a terminal nothing there is told of it. A stop is told to
//! the far end, which sends its command's process group (where `setsid` exists there, else its process) a TERM; a command
//! that does not end by that within the grace is unknown, too, for it may go on.

use std::ffi::OsString;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};

use super::process::{self, End, Ended, Program, Talk};
use super::quoting::for_posix_shell;
use super::run_command::CommandRules;
use super::{Attempt, lost, not_started, stopped};
use crate::engine::input::StepProgress;
use crate::engine::settings::SshSettings;

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
    let mut talk = Talk { mark: mark(), is_begun: false, ended: None };
    let program = match program(host, argv, rules, settings, &talk.mark) {
        Ok(program) => program,
        Err(reason) => return not_started(reason),
    };
    let ended = process::run(&program, attempt, Some(&mut talk)).await;
    outcome(host, ended, &talk, attempt)
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

fn program(
    host: &str,
    argv: &[Arc<str>],
    rules: &CommandRules,
    settings: &SshSettings,
    mark: &str,
) -> Result<Program, String> {
    check_host(host, &settings.hosts)?;
    if argv.first().is_none_or(|program| program.is_empty()) {
        return Err("its command is empty".to_owned());
    }
    if argv.iter().any(|part| part.contains('\0')) {
        return Err("an argument holds a NUL, which no command line can carry".to_owned());
    }
    let remote = remote_script(argv, mark);
    if remote.len() > REMOTE_COMMAND_BYTES_MAX {
        return Err(format!(
            "its arguments are {} bytes as one line, of which ssh carries {REMOTE_COMMAND_BYTES_MAX}",
            remote.len()
        ));
    }
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
    arguments.extend([OsString::from("--"), OsString::from(host), OsString::from(remote)]);
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
fn check_host(host: &str, allowed: &[String]) -> Result<(), String> {
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

/// What stands before our own words, so that they are told from what the command writes.
fn mark() -> String {
    let mut bytes = [0_u8; 12];
    // Without it the words are told apart all the same, only not from a command that imitates them.
    let _random = SystemRandom::new().fill(&mut bytes);
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hypo-{digits}")
}

/// The script of the far end.
fn remote_script(argv: &[Arc<str>], mark: &str) -> String {
    let words = for_posix_shell(argv.iter().map(AsRef::as_ref));
    // `$p` is the process of the command itself; with `setsid` it leads a group of the same number, but not from its first
    // moment on: a stop that finds no group yet is tried again.
    format!(
        "set -- {words}; m={mark}; printf '%s ready\\n' \"$m\" >&2; \
         read -r w && [ \"$w\" = \"$m go\" ] || exit 254; exec 3<&0; \
         if command -v setsid >/dev/null 2>&1; then g=-; ( exec setsid \"$@\" ) </dev/null 3<&- & p=$!; \
         else g=; ( exec \"$@\" ) </dev/null 3<&- & p=$!; fi; \
         ( read -r w <&3; [ \"$w\" = \"$m stop\" ] || exit; \
         until kill -s TERM -- \"$g$p\"; do kill -0 \"$p\" || exit; sleep 1; done ) >/dev/null 2>&1 & q=$!; \
         wait \"$p\"; s=$?; kill \"$q\" 2>/dev/null; printf '\\n%s ended %s\\n' \"$m\" \"$s\" >&2; exit \"$s\""
    )
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
            let talk = Talk { mark: mark(), is_begun, ended };
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

    /// What the far end's script does when it is told this, as `sh` runs it: what it wrote, and its words.
    fn at_the_far_end(argv: &[Arc<str>], told: &str) -> (Vec<u8>, String) {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut shell = Command::new("timeout");
        shell.args(["20", "sh", "-c"]).arg(remote_script(argv, "hypo-test"));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        // A script that has gone already takes nothing.
        let _gone = child.stdin.take().unwrap().write_all(told.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn words(argv: &[&str]) -> Vec<Arc<str>> {
        argv.iter().map(|word| Arc::from(*word)).collect()
    }

    #[test]
    fn the_far_end_begins_only_when_it_is_told_to_and_says_how_it_ended() {
        let argv = words(&["sh", "-c", "echo done; exit 7"]);
        for told in ["", "\n", "hypo-test\n", "hypo-other go\n", "hypo-test stop\n"] {
            let (out, said) = at_the_far_end(&argv, told);
            assert_eq!((out.as_slice(), said.as_str()), (&b""[..], "hypo-test ready\n"), "{told:?}");
        }
        let (out, said) = at_the_far_end(&argv, "hypo-test go\n");
        assert_eq!(out, b"done\n");
        assert!(said.ends_with("\nhypo-test ended 7\n"), "{said}");
        let (_, said) = at_the_far_end(&words(&["sleep", "600"]), "hypo-test go\nhypo-test stop\n");
        assert!(said.ends_with("\nhypo-test ended 143\n"), "{said}");
        let (_, said) = at_the_far_end(&words(&["no-such-program"]), "hypo-test go\n");
        assert!(said.contains("\nhypo-test ended 127\n"), "{said}");
    }

    #[test]
    fn three_thousand_hostile_values_come_through_the_far_ends_shell_as_they_are() {
        use rand::{Rng as _, SeedableRng as _};
        const PIECES: [&str; 34] = [
            "'",
            "\"",
            "\\",
            "\n",
            "\r\n",
            "$(id)",
            "`id`",
            "${IFS}",
            "$HOME",
            "-",
            "--",
            "-rf",
            ";",
            "|",
            "&&",
            ">x",
            "<x",
            "*",
            "?",
            "[a]",
            "{a,b}",
            "~",
            "!x",
            "#",
            "%s",
            "\\0",
            "\u{1}",
            "\u{7f}",
            "é",
            "東",
            " ",
            "\t",
            "'\\''",
            "; exit 3; #",
        ];
        let mut random = rand_pcg::Pcg64::seed_from_u64(7);
        let mut value = || -> String {
            (0..random.random_range(1..8)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
        };
        for _ in 0..30 {
            let values: Vec<String> = (0..100).map(|_| value()).collect();
            let mut argv = words(&["printf", "%s\\0"]);
            argv.extend(values.iter().map(|value| Arc::from(value.as_str())));
            let (out, said) = at_the_far_end(&argv, "hypo-test go\n");
            let wanted: Vec<u8> = values.iter().flat_map(|value| value.bytes().chain([0])).collect();
            assert_eq!(out, wanted);
            assert_eq!(said, "hypo-test ready\n\nhypo-test ended 0\n");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn no_value_is_read_by_the_far_ends_shell(values in proptest::collection::vec(
            proptest::prop_oneof!["[^\0]{0,30}", proptest::prelude::Just("'; touch /tmp/hypo-never; '".to_owned()), proptest::prelude::Just("-n".to_owned())],
            1..5,
        )) {
            let mut argv = words(&["printf", "%s\\0"]);
            argv.extend(values.iter().map(|value| Arc::from(value.as_str())));
            let (out, _) = at_the_far_end(&argv, "hypo-test go\n");
            let wanted: Vec<u8> = values.iter().flat_map(|value| value.bytes().chain([0])).collect();
            proptest::prop_assert_eq!(out, wanted);
        }

        #[test]
        fn no_host_and_no_value_becomes_an_option_of_ssh(host in "(?s).{0,30}", value in "(?s)[^\0]{0,60}") {
            let settings = SshSettings { hosts: vec!["*".to_owned(), host.clone()], ..SshSettings::default() };
            let rules = CommandRules::new(&crate::engine::settings::RunbookSettings {
                allowed_programs: vec!["ssh".to_owned()],
                ..Default::default()
            });
            let argv = words(&["echo", &value]);
            if let Ok(program) = program(&host, &argv, &rules, &settings, "hypo-test") {
                let arguments = &program.arguments;
                let end = arguments.iter().position(|argument| argument == "--").unwrap();
                proptest::prop_assert_eq!(arguments.len(), end + 3);
                proptest::prop_assert!(!host.starts_with('-') && arguments[end + 1] == host.as_str());
                proptest::prop_assert!(arguments[..end].iter().all(|argument| !argument.to_string_lossy().contains(&*value) || value.len() < 12));
            }
        }
    }
}
