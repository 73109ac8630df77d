//! Steps against the real `sshd` and the real `ansible-playbook`, both on this machine. The servers are started here, on
//! free loopback ports, and only the programs are needed; `tests/run` installs them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::act::StepReportSink;
use hypocenter::engine::act::steps::run_command::CommandRules;
use hypocenter::engine::act::steps::ssh::left_there::{self, LeftThere};
use hypocenter::engine::act::steps::{Attempt, ansible, ssh};
use hypocenter::engine::input::{StepProgress, StepReport};
use hypocenter::engine::model::{Play, RunId};
use hypocenter::engine::settings::{AnsibleSettings, RunbookSettings, Span, SshSettings};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;

use crate::hostile_values::{Hostile, show_arguments, shown_arguments};

/// An `sshd` of our own, ended with the test.
pub(super) struct Sshd {
    process: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn run_program(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|problem| panic!("{program}: {problem}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(super) fn user() -> String {
    run_program("id", &["-un"]).trim().to_owned()
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for key in ["host_key", "user_key"] {
            run_program("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]);
        }
        fs::copy(at("user_key.pub"), at("authorized_keys")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n",
            at("host_key"),
            at("pid"),
            at("authorized_keys")
        );
        fs::write(at("sshd_config"), settings).unwrap();
        // sshd separates its privileges in this folder, which its package's service makes.
        let _there = fs::create_dir_all("/run/sshd");
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", &at("sshd_config"), "-E", &at("sshd.log")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let sshd = Self { process, folder, port };
        let until = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "sshd does not listen");
            std::thread::yield_now();
        }
        let key = fs::read_to_string(sshd.at("host_key.pub")).unwrap();
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        fs::write(sshd.at("known_hosts"), format!("[127.0.0.1]:{port} {}\n", key.join(" "))).unwrap();
        sshd
    }

    /// The process that listens.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> SshSettings {
        SshSettings {
            hosts: vec!["127.0.0.*".to_owned()],
            programs: Vec::new(),
            user: Some(user()),
            identity_file: Some(self.at("user_key")),
            known_hosts: Some(self.at("known_hosts")),
            port: self.port,
            connect_timeout: Span(5_000),
        }
    }
}

fn rules() -> CommandRules {
    CommandRules::new(&RunbookSettings {
        allowed_programs: ["ssh", "ansible-playbook"].map(str::to_owned).to_vec(),
        ..RunbookSettings::default()
    })
}

fn attempt(timeout_ms: i64) -> (Attempt, Arc<Notify>, Receiver<StepReport>) {
    let (sink, reports) = StepReportSink::channel();
    let stop = Arc::new(Notify::new());
    (Attempt::new((RunId(1), 0), timeout_ms, Arc::clone(&stop), sink, Arc::new(|| false)), stop, reports)
}

async fn collect(mut reports: Receiver<StepReport>) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(report) = reports.recv().await {
        if let StepProgress::Output(some) = report.progress {
            lines.extend(some.iter().map(ToString::to_string));
        }
    }
    lines
}

fn words(argv: &[&str]) -> Vec<Arc<str>> {
    argv.iter().map(|word| Arc::from(*word)).collect()
}

async fn over_ssh(settings: &SshSettings, argv: &[&str], timeout_ms: i64) -> (StepProgress, Vec<String>) {
    let (attempt, _stop, reports) = attempt(timeout_ms);
    let lines = tokio::spawn(collect(reports));
    let end = ssh::run("127.0.0.1", &words(argv), &rules(), settings, &attempt).await;
    drop(attempt);
    (end, lines.await.unwrap())
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        tokio::task::yield_now().await;
    }
}

fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn a_command_runs_there_as_it_is_and_its_end_is_known() {
    let sshd = Sshd::start();
    let settings = sshd.settings();
    let hostile = ["a b", "$(id)", "'; touch /tmp/hypo-never; '", "-rf", "", "x\ny", "`id`", "\\"];
    let mut argv = vec!["printf", "<%s>"];
    argv.extend(hostile);
    let (end, lines) = over_ssh(&settings, &argv, 60_000).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:?}");
    assert_eq!(lines.join("\n"), "<a b><$(id)><'; touch /tmp/hypo-never; '><-rf><><x\ny><`id`><\\>");
    // The exit code by which ssh itself says that it failed is the command's own here.
    for code in [1, 3, 254, 255] {
        let (end, _) =
            over_ssh(&settings, &["sh", "-c", &format!("echo out; echo err >&2; exit {code}")], 60_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(have), .. } if have == code), "{end:?}");
    }
    let (end, _) = over_ssh(&settings, &["no-such-program"], 60_000).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(127), .. }), "{end:?}");
    let long = "x".repeat(100_000);
    let (end, lines) = over_ssh(&settings, &["printf", "%s", &long], 60_000).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
    assert!(lines[0].contains("⟨+"), "the line was cut");
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn two_thousand_hostile_values_arrive_there_as_they_are() {
    let sshd = Sshd::start();
    let settings = sshd.settings();
    let program = show_arguments(sshd.folder.path(), "show");
    for values in Hostile::new(5).accepted(2_000).chunks(100) {
        let argv: Vec<&str> = std::iter::once(program.as_str()).chain(values.iter().map(String::as_str)).collect();
        let (end, lines) = over_ssh(&settings, &argv, 60_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:?}");
        assert_eq!(shown_arguments(sshd.folder.path()), values);
    }
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn what_was_not_reached_did_not_begin() {
    let sshd = Sshd::start();
    let unknown = SshSettings { known_hosts: Some(sshd.at("none")), ..sshd.settings() };
    let wrong_user = SshSettings { identity_file: Some(sshd.at("host_key")), ..sshd.settings() };
    let nobody_there = SshSettings { port: 1, ..sshd.settings() };
    for (settings, said) in [(unknown, "Host key"), (wrong_user, "denied"), (nobody_there, "refused")] {
        let (end, lines) = over_ssh(&settings, &["echo", "x"], 60_000).await;
        assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("nothing was begun")), "{end:?}");
        assert!(lines.join("\n").contains(said) || format!("{end:?}").contains(said), "{said}: {lines:?} {end:?}");
    }
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn a_stop_and_a_timeout_end_the_command_there() {
    let sshd = Sshd::start();
    for is_by_hand in [true, false] {
        let file = sshd.at(if is_by_hand { "pid_of_stopped" } else { "pid_of_late" });
        let script = format!("echo $$ > {0}.new && mv {0}.new {0}; exec sleep 600", file.display());
        let (attempt, stop, reports) = attempt(if is_by_hand { 600_000 } else { 8_000 });
        let settings = sshd.settings();
        let reading = tokio::spawn(collect(reports));
        let argv = words(&["sh", "-c", &script]);
        let rules = rules();
        let running = ssh::run("127.0.0.1", &argv, &rules, &settings, &attempt);
        let driver = async {
            until("the command begins", || file.exists()).await;
            if is_by_hand {
                stop.notify_one();
            }
        };
        let (end, ()) = tokio::join!(running, driver);
        drop(attempt);
        reading.await.unwrap();
        assert!(matches!(&end, StepProgress::Stopped { reason } if reason.contains("has ended")), "{end:?}");
        let pid = fs::read_to_string(&file).unwrap();
        until("the command there ends", || !is_alive(pid.trim())).await;
    }
}

/// Ends the sshd of the session in which this shell runs: to ssh, the connection breaks.
fn break_connection(shell: &str) {
    let status = fs::read_to_string(format!("/proc/{shell}/status")).unwrap();
    let session = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned();
    run_program("kill", &["-KILL", &session]);
}

/// A command that says who it is in a file, tells a first line, and then does the rest.
fn telling(file: &Path, rest: &str) -> String {
    format!("echo first; echo $$ $PPID > {0}.new && mv {0}.new {0}; {rest}", file.display())
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn a_connection_that_breaks_is_taken_up_again_and_no_line_is_lost() {
    let sshd = Sshd::start();
    for is_stopped in [false, true] {
        let file = sshd.at(if is_stopped { "pid_of_stopped" } else { "pid_of_running" });
        let go = sshd.at("go");
        run_program("mkfifo", &["-m", "600", &go.display().to_string()]);
        let script = telling(&file, &format!("read x <{}; seq 2 300; echo bad >&2; exit 7", go.display()));
        let (attempt, stop, reports) = attempt(600_000);
        let reading = tokio::spawn(collect(reports));
        let (settings, argv, rules) = (sshd.settings(), words(&["sh", "-c", &script]), rules());
        let running = ssh::run("127.0.0.1", &argv, &rules, &settings, &attempt);
        let driver = async {
            until("the command begins", || file.exists()).await;
            let text = fs::read_to_string(&file).unwrap();
            break_connection(text.split_whitespace().nth(1).unwrap());
            if is_stopped {
                // Between two connections.
                tokio::time::sleep(Duration::from_millis(500)).await;
                stop.notify_one();
            } else {
                fs::write(&go, "\n").unwrap();
            }
        };
        let (end, ()) = tokio::join!(running, driver);
        drop(attempt);
        let lines = reading.await.unwrap();
        fs::remove_file(&go).unwrap();
        if is_stopped {
            assert!(matches!(&end, StepProgress::Stopped { reason } if reason.contains("has ended")), "{end:?}");
            continue;
        }
        assert!(matches!(end, StepProgress::Exited { code: Some(7), .. }), "{end:?}");
        let has = |wanted: &str| lines.iter().filter(|line| line.as_str() == wanted).count();
        let told = [has("first"), has("2"), has("300"), has("bad")];
        assert_eq!(told, [1, 1, 1, 1], "{:?}", &lines[..lines.len().min(8)]);
        assert!(lines.iter().any(|line| line.contains("connecting again")));
    }
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn a_machine_that_does_not_come_back_leaves_the_end_unknown_and_the_command_running() {
    let mut sshd = Sshd::start();
    let file = sshd.at("pid_of_running");
    let script = telling(&file, "exec sleep 600");
    let (attempt, _stop, reports) = attempt(12_000);
    let reading = tokio::spawn(collect(reports));
    let (settings, argv, rules) = (sshd.settings(), words(&["sh", "-c", &script]), rules());
    let running = ssh::run("127.0.0.1", &argv, &rules, &settings, &attempt);
    let mut process = None;
    let driver = async {
        until("the command begins", || file.exists()).await;
        let text = fs::read_to_string(&file).unwrap();
        let mut ids = text.split_whitespace().map(str::to_owned);
        process = ids.next();
        sshd.process.kill().unwrap();
        sshd.process.wait().unwrap();
        break_connection(&ids.next().unwrap());
    };
    let (end, ()) = tokio::join!(running, driver);
    drop(attempt);
    reading.await.unwrap();
    assert!(matches!(&end, StepProgress::Lost { reason } if reason.contains("broke")), "{end:?}");
    let process = process.unwrap();
    assert!(is_alive(&process), "it goes on there, which is why nobody may call it failed");
    until("its timeout ends it there though nobody is connected", || !is_alive(&process)).await;
}

#[tokio::test]
#[ignore = "needs openssh-server; tests/run installs it"]
async fn what_an_earlier_life_of_the_program_began_there_is_ended_by_the_attempts_name() {
    let sshd = Sshd::start();
    let (settings, rules) = (sshd.settings(), rules());
    let file = sshd.at("pid_of_running");
    let argv = words(&["sh", "-c", &telling(&file, "sleep 600; true")]);
    let (attempt, _stop, reports) = attempt(600_000);
    // What the far end keeps of an attempt lies under its name, also that of an earlier run of this test.
    let name = format!("attempt-{}-{:?}", std::process::id(), std::time::SystemTime::now());
    let attempt = attempt.named(name.as_str().into());
    let reading = tokio::spawn(collect(reports));
    {
        let running = ssh::run("127.0.0.1", &argv, &rules, &settings, &attempt);
        tokio::select! {
            end = running => panic!("it goes on: {end:?}"),
            () = until("the command begins", || file.exists()) => {}
        }
    }
    // The program is gone, and its connection with it.
    drop(attempt);
    reading.await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let process = text.split_whitespace().next().unwrap();
    assert!(is_alive(process));
    let end = |id: String| {
        let (rules, settings) = (&rules, &settings);
        async move { left_there::end("127.0.0.1", &id, rules, settings).await }
    };
    assert_eq!(end(format!("another-{name}")).await, Ok(LeftThere::Nothing));
    assert!(is_alive(process), "another attempt's is left alone");
    assert_eq!(end(name.clone()).await, Ok(LeftThere::Ended));
    assert!(!is_alive(process));
    assert_eq!(end(name.clone()).await, Ok(LeftThere::Over));
    let unreached = SshSettings { port: 1, ..sshd.settings() };
    assert!(left_there::end("127.0.0.1", &name, &rules, &unreached).await.is_err());
}

fn playbooks() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn ansible(folder: &Path, inventory: &str) -> AnsibleSettings {
    fs::write(folder.join("hosts"), inventory).unwrap();
    AnsibleSettings { folder: Some(folder.to_owned()), inventory: Some(folder.join("hosts")), forks: 2 }
}

async fn play(
    settings: &AnsibleSettings,
    what: &str,
    limit: &str,
    vars: &[(&str, &str)],
    is_check: bool,
) -> (StepProgress, Vec<String>) {
    let vars: BTreeMap<Arc<str>, Arc<str>> =
        vars.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect();
    let play = Play { what: what.into(), limit: limit.into(), vars, is_check };
    let (attempt, _stop, reports) = attempt(120_000);
    let lines = tokio::spawn(collect(reports));
    let end = ansible::run(&play, &rules(), settings, &attempt).await;
    drop(attempt);
    (end, lines.await.unwrap())
}

#[tokio::test]
#[ignore = "needs ansible; tests/run installs it"]
async fn a_playbook_runs_with_values_that_stay_text() {
    let folder = playbooks();
    let settings = ansible(folder.path(), "web-1 ansible_connection=local\nweb-2 ansible_connection=local\n");
    let out = folder.path().join("out");
    let book = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n        content: \"{{{{ value }}}}\"\n        dest: \"{}-{{{{ inventory_hostname }}}}\"\n",
        out.display()
    );
    fs::write(folder.path().join("write.yml"), book).unwrap();
    let written = |host: &str| fs::read_to_string(format!("{}-{host}", out.display()));
    let value = "{{ 7 * 191 }} {% raw %} {{ lookup('pipe', 'id') }} $(id) 'q' \"d\" \\ # : - yes é東\u{1f600}\n- x: !!python/object";
    let (end, lines) = play(&settings, "write.yml", "web-1", &[("value", value)], true).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:#?}");
    assert!(written("web-1").is_err(), "check mode changes nothing");
    assert!(lines.iter().any(|line| line.contains("changed=1")), "{lines:#?}");
    let (end, lines) = play(&settings, "write.yml", "web-1", &[("value", value)], false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:#?}");
    assert_eq!(written("web-1").unwrap(), value);
    assert!(written("web-2").is_err(), "the limit holds");
    let left: Vec<_> = fs::read_dir(std::env::temp_dir())
        .unwrap()
        .map_while(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("hypo-vars-"))
        .filter(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("7 * 191")))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
#[ignore = "needs ansible; tests/run installs it"]
async fn a_thousand_hostile_values_stay_text_in_a_playbook() {
    let folder = playbooks();
    let settings = ansible(folder.path(), "web-1 ansible_connection=local\n");
    let out = folder.path().join("out.json");
    let values = Hostile::new(6).accepted(1_000);
    let names: Vec<String> = (0..values.len()).map(|at| format!("v{at}")).collect();
    let book = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n        content: \"{{{{ [{}] | to_json }}}}\"\n        dest: \"{}\"\n",
        names.join(", "),
        out.display()
    );
    fs::write(folder.path().join("write.yml"), book).unwrap();
    let vars: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    let (end, lines) = play(&settings, "write.yml", "web-1", &vars, false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:#?}");
    let arrived: Vec<String> = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(arrived, values);
}

#[tokio::test]
#[ignore = "needs ansible; tests/run installs it"]
async fn a_playbook_works_on_no_more_hosts_than_the_step_allows() {
    let folder = playbooks();
    let inventory = "web-1 ansible_connection=local\nweb-2 ansible_connection=local\n[web]\nweb-1\nweb-2\n";
    let settings = ansible(folder.path(), inventory);
    let out = folder.path().join("out");
    let task = format!("ansible.builtin.command: touch {}", out.display());
    for (name, hosts) in [("all.yml", "all"), ("first.yml", "web-1"), ("none.yml", "nobody")] {
        let book = format!("- hosts: {hosts}\n  gather_facts: false\n  tasks:\n    - {task}\n");
        fs::write(folder.path().join(name), book).unwrap();
    }
    fs::write(folder.path().join("broken.yml"), "- hosts: [").unwrap();
    for (what, limit, said) in [
        ("all.yml", "web", "2 hosts"),
        ("all.yml", "web-1:web-2", "2 hosts"),
        ("all.yml", "nobody", "counted"),
        ("none.yml", "web", "no host matched"),
        ("broken.yml", "web-1", "counted"),
    ] {
        let (end, _) = play_within(&settings, what, limit, Some(1)).await;
        assert!(
            matches!(&end, StepProgress::NotStarted { reason } if reason.contains(said)),
            "{what} {limit}: {end:?}"
        );
        assert!(!out.exists(), "{what} {limit}");
    }
    for (what, limit, most) in [("first.yml", "web", 1), ("all.yml", "web-2", 1), ("all.yml", "web", 2)] {
        let (end, lines) = play_within(&settings, what, limit, Some(most)).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{what} {limit}: {end:?} {lines:#?}");
    }
}

async fn play_within(
    settings: &AnsibleSettings,
    what: &str,
    limit: &str,
    targets_max: Option<u32>,
) -> (StepProgress, Vec<String>) {
    let play = Play { what: what.into(), limit: limit.into(), vars: BTreeMap::new(), is_check: false };
    let (attempt, _stop, reports) = attempt(120_000);
    let attempt = attempt.reaching(targets_max);
    let lines = tokio::spawn(collect(reports));
    let end = ansible::run(&play, &rules(), settings, &attempt).await;
    drop(attempt);
    (end, lines.await.unwrap())
}

#[tokio::test]
#[ignore = "needs ansible; tests/run installs it"]
async fn failures_of_hosts_are_failures() {
    let folder = playbooks();
    let inventory =
        "web-1 ansible_connection=local\ngone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n";
    let settings = ansible(folder.path(), inventory);
    fs::write(
        folder.path().join("fail.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: /bin/false\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("ping.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("other.yml"),
        "- hosts: nobody\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n",
    )
    .unwrap();
    let (end, lines) = play(&settings, "fail.yml", "web-1", &[], false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(2), .. }), "{end:?} {lines:#?}");
    let (end, lines) = play(&settings, "ping.yml", "gone", &[], false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(4), .. }), "{end:?} {lines:#?}");
    let (end, lines) = play(&settings, "other.yml", "web-1", &[], false).await;
    assert!(
        matches!(&end, StepProgress::NotStarted { reason } if reason.contains("no host matched")),
        "{end:?} {lines:#?}"
    );
    let (end, lines) = play(&settings, "ping.yml", "nobody", &[], false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(1..), .. }), "{end:?} {lines:#?}");
    let (end, _) = play(&settings, "missing.yml", "web-1", &[], false).await;
    assert!(matches!(end, StepProgress::NotStarted { .. }), "{end:?}");
}

#[tokio::test]
#[ignore = "needs ansible and openssh-server; tests/run installs them"]
async fn a_playbook_reaches_a_host_by_the_real_sshd() {
    let sshd = Sshd::start();
    let folder = playbooks();
    let inventory = format!(
        "web-1 ansible_connection=ssh ansible_host=127.0.0.1 ansible_port={} ansible_user={} ansible_ssh_private_key_file={} \
         ansible_ssh_common_args='-F none -o UserKnownHostsFile={} -o IdentitiesOnly=yes' ansible_python_interpreter=/usr/bin/python3\n",
        sshd.port,
        user(),
        sshd.at("user_key").display(),
        sshd.at("known_hosts").display()
    );
    let settings = ansible(folder.path(), &inventory);
    fs::write(
        folder.path().join("ping.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n",
    )
    .unwrap();
    let (end, lines) = play(&settings, "ping.yml", "web-1", &[], false).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {lines:#?}");
    assert!(lines.iter().any(|line| line.contains("ok: [web-1]")), "{lines:#?}");
}
