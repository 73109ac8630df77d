//! Lines that drop in the middle of a runbook, by a real `sshd` and the system's `ssh` on this machine: consoles on the far machine in
//! a terminal of ssh, and consoles of this one whose line goes through ssh. Each comes back at the same run and step without a key,
//! and every command is done once.
//!
//! `HYPO_DROPS` says how many lines drop, 16 where it is absent: one before each of eight steps, and one while it runs. What it took
//! is printed (`--nocapture`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hypocenter::engine::model::StepState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;

use super::engines::pid_in;
use super::executors_real::{Sshd, user};
use super::programs;
use super::terminal::Session;
use super::walking::{self, Ground};

/// Seconds; long enough for the line to drop in the middle of it.
const ACT_TAKES: &str = "1.5";
/// As many acts as one incident may have.
const STEPS: usize = 8;
/// What a console tells once it is back, where something has happened.
const AWAY: &str = "While you were away";
/// What it tells for a while in any case.
const BACK: &str = "the engine is back";
/// What it tells as long as it is not; where that is for a moment, it may never be painted.
const OLD: &str = "Last heard from the engine";

/// The far machine, and how it is reached.
struct Far<'a> {
    sshd: &'a Sshd,
    bin: PathBuf,
    remote_hypo: PathBuf,
    home_there: PathBuf,
    home_here: PathBuf,
}

impl<'a> Far<'a> {
    fn new(sshd: &'a Sshd, ground: &Ground, folder: &Path) -> Self {
        let (bin, home_here) = (folder.join("bin"), folder.join("here"));
        for made in [&bin, &home_here] {
            std::fs::create_dir(made).unwrap();
        }
        let script = |path: PathBuf, line: String| {
            programs::script(&path, &format!("#!/bin/sh\n{line}\n"));
            path
        };
        let flags = format!(
            "-F none -p {} -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={}",
            sshd.port,
            sshd.at("user_key").display(),
            sshd.at("known_hosts").display()
        );
        script(bin.join("ssh"), format!("exec /usr/bin/ssh {flags} \"$@\""));
        let hypo = format!(
            "HOME={} exec {} --config {} --state-dir {} \"$@\"",
            folder.display(),
            env!("CARGO_BIN_EXE_hypo"),
            folder.join("config.toml").display(),
            ground.state_dir().display()
        );
        let remote_hypo = script(folder.join("remote-hypo"), hypo);
        Self { sshd, bin, remote_hypo, home_there: folder.to_path_buf(), home_here }
    }

    fn command(&self, program: &str, home: &Path) -> CommandBuilder {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", self.bin.display()));
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", home);
        command
    }

    fn host() -> String {
        format!("{}@127.0.0.1", user())
    }

    /// A console on the far machine, in a terminal of ssh.
    fn console_there(&self) -> Session {
        let ssh = self.bin.join("ssh").display().to_string();
        let mut command = self.command(&ssh, &self.home_there);
        command.args(["-tt", "--", &Self::host(), &self.remote_hypo.display().to_string()]);
        Session::start(command)
    }

    /// A console of this machine on the engine there.
    fn console_here(&self) -> Session {
        let mut command = self.command(env!("CARGO_BIN_EXE_hypo"), &self.home_here);
        command.args(["attach", &Self::host(), "--remote-hypo", &self.remote_hypo.display().to_string()]);
        Session::start(command)
    }

    /// Ends every connection without a word; how many processes served them.
    fn drop_lines(&self) -> usize {
        let mut parents = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
            let parent = stat[close + 1..].split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
            parents.insert(pid, (parent, stat[open + 1..close].to_owned()));
        }
        let is_below = |pid: u32| {
            let mut at = pid;
            while let Some((parent, _)) = parents.get(&at) {
                if *parent == self.sshd.pid() {
                    return true;
                }
                at = *parent;
            }
            false
        };
        let serving = parents.iter().filter(|(pid, (_, name))| name.starts_with("sshd") && is_below(**pid));
        serving.filter(|(pid, _)| kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).is_ok()).count()
    }
}

/// Reads on until the screen is at `place` again; what happened meanwhile is closed once it is told.
fn comes_back(session: &mut Session, place: &str) {
    let begun = Instant::now();
    loop {
        session.settle(Duration::from_millis(20));
        let text = session.text();
        if text.contains(AWAY) {
            session.press(b"\x1b");
            session.goes(AWAY);
        } else if text.contains(place) && !text.contains(OLD) {
            return;
        }
        assert!(begun.elapsed() < super::engines::PATIENCE, "not at `{place}`:\n{text}");
    }
}

/// How long it took until consoles were back.
#[derive(Default)]
struct Took {
    there: Vec<Duration>,
    here: Vec<Duration>,
}

/// Two consoles on one run, and how often their lines dropped.
struct Round<'a> {
    far: Far<'a>,
    ground: &'a Ground,
    engine: i32,
    there: Session,
    here: Session,
    took: &'a mut Took,
}

impl Round<'_> {
    /// Drops both lines; both are back at `place` without a key.
    fn drop_at(&mut self, place: &str) {
        // A key takes the message of the last time away.
        self.here.press(b"5");
        self.here.goes(BACK);
        let begun = Instant::now();
        assert!(self.far.drop_lines() > 0, "nobody was served");
        // The one is left by its console, and somebody comes anew; the other comes back by itself.
        let new = self.far.console_there();
        std::mem::replace(&mut self.there, new).ends();
        self.here.wait_for_any(&[OLD, AWAY, BACK]);
        comes_back(&mut self.here, place);
        self.took.here.push(begun.elapsed());
        comes_back(&mut self.there, place);
        self.took.there.push(begun.elapsed());
        let status = self.ground.said(&["status"]).1;
        assert_eq!(pid_in(&status), Some(self.engine), "{status}");
    }
}

/// Up to twice as many drops as the runbook has steps; how many of them met a command that was running.
fn round(sshd: &Sshd, drops: usize, took: &mut Took) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::lay(folder.path(), ACT_TAKES);
    let program = ground.program("act.sh");
    let names: Vec<String> = (1..=STEPS).map(|step| format!("step-{step}")).collect();
    let mut steps: Vec<_> = names.iter().map(|name| (name.as_str(), walking::act(&program, name, ""))).collect();
    steps.push(("home", walking::verify()));
    // It writes the configuration, and starts the engine.
    let mut session = ground.console(&walking::page(&steps));
    session.watch("INC-42");
    session.press(b"Q");
    session.ends_clean();
    let engine = pid_in(&ground.said(&["status"]).1).unwrap();

    let far = Far::new(sshd, &ground, folder.path());
    let at = |step: usize| format!("step {step} of {}", STEPS + 1);
    let mut there = far.console_there();
    there.watch("INC-42");
    there.press_still(b"5", "Runbooks that fit");
    there.press_still(b"a", &at(1));
    let mut here = far.console_here();
    here.watch("INC-42");
    here.press_still(b"5", &at(1));
    let mut round = Round { far, ground: &ground, engine, there, here, took };
    let mut met = 0;
    for drop in 0..drops {
        let step = drop / 2 + 1;
        if drop % 2 == 0 {
            round.drop_at(&at(step));
            continue;
        }
        round.there.press_still(b"a", "This changes the world");
        round.there.press_still(b"y", "running");
        met += usize::from(ground.lines().len() < step);
        round.drop_at(&at(step + 1));
        assert_eq!(ground.lines(), names[..step]);
    }
    let Round { mut there, mut here, .. } = round;
    for session in [&mut here, &mut there] {
        session.press(b"Q");
    }
    here.ends_clean();
    there.ends();
    let run = &ground.stored_runs()[&1];
    let done = &run.steps[..drops / 2];
    assert!(done.iter().all(|step| matches!(step.state, StepState::Succeeded { .. }) && step.begun.len() == 1));
    assert_eq!(ground.lines(), names[..drops / 2]);
    met
}

#[test]
#[ignore = "needs a real sshd: run ./tests/run"]
fn a_line_that_drops_comes_back_at_the_same_step() {
    let drops: usize = std::env::var("HYPO_DROPS").ok().and_then(|text| text.parse().ok()).unwrap_or(2 * STEPS);
    let sshd = Sshd::start();
    let (mut left, mut met, mut took) = (drops, 0, Took::default());
    while left > 0 {
        let now = left.min(2 * STEPS);
        met += round(&sshd, now, &mut took);
        left -= now;
        println!("{left} drops are left");
    }
    assert!(met > 0, "no line dropped while a command ran");
    println!("{drops} drops, {met} of them while a command ran");
    for (what, took) in [("a new console by ssh", &mut took.there), ("hypo attach by itself", &mut took.here)] {
        took.sort();
        let at = |share: usize| took[(took.len() - 1) * share / 100].as_millis();
        println!("{what}: median {} ms, p95 {} ms, most {} ms", at(50), at(95), at(100));
    }
}
