//! Lines that drop in the middle of a runbook, by a real `sshd` and the system's `ssh` on this machine: consoles on the far machine in
//! a terminal of ssh, and consoles of this one whose line goes through ssh. Each comes back at the same run and step, and the command
//! that ran is done once.
//!
//! `HYPO_DROPS` says how many lines drop, 8 where it is absent. What it took is printed (`--nocapture`).

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hypocenter::engine::model::StepState;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portable_pty::CommandBuilder;

use super::engines::{pid_in, until};
use super::executors_real::{Sshd, user};
use super::terminal::Session;
use super::walking::{self, Ground};

/// Long enough for the first line to drop in the middle of it.
const ACT_TAKES: &str = "4";

/// The far machine, and how it is reached.
struct Far {
    sshd: Sshd,
    bin: PathBuf,
    remote_hypo: PathBuf,
}

impl Far {
    fn new(ground: &Ground, folder: &Path) -> Self {
        let sshd = Sshd::start();
        let bin = folder.join("bin");
        std::fs::create_dir(&bin).unwrap();
        let script = |path: PathBuf, line: String| {
            std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let flags = format!(
            "-F none -p {} -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={}",
            sshd.port,
            sshd.at("user_key").display(),
            sshd.at("known_hosts").display()
        );
        script(bin.join("ssh"), format!("exec /usr/bin/ssh {flags} \"$@\""));
        let (config, state) = (folder.join("config.toml"), ground.state_dir());
        let hypo = format!(
            "HOME={} exec {} --config {} --state-dir {} \"$@\"",
            folder.display(),
            env!("CARGO_BIN_EXE_hypo"),
            config.display(),
            state.display()
        );
        let remote_hypo = script(folder.join("remote-hypo"), hypo);
        Self { sshd, bin, remote_hypo }
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

    fn host(&self) -> String {
        format!("{}@127.0.0.1", user())
    }

    /// A console on the far machine, in a terminal of ssh.
    fn console_there(&self, home: &Path) -> Session {
        let ssh = self.bin.join("ssh").display().to_string();
        let mut command = self.command(&ssh, home);
        command.args(["-tt", "--", &self.host(), &self.remote_hypo.display().to_string()]);
        Session::start(command)
    }

    /// A console of this machine on the engine there.
    fn console_here(&self, home: &Path) -> Session {
        let mut command = self.command(env!("CARGO_BIN_EXE_hypo"), home);
        command.args(["attach", &self.host(), "--remote-hypo", &self.remote_hypo.display().to_string()]);
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

#[test]
#[ignore = "needs a real sshd: run ./tests/run"]
fn a_line_that_drops_comes_back_at_the_same_step() {
    let drops: usize = std::env::var("HYPO_DROPS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let ground = Ground::lay(home, ACT_TAKES);
    let program = ground.program("act.sh");
    let steps = ["one", "two"].map(|name| (name, walking::act(&program, name, "")));
    // It writes the configuration, and starts the engine.
    let page = walking::page(&[steps[0].clone(), steps[1].clone(), ("home", walking::verify())]);
    let mut session = ground.console(&page);
    session.watch("INC-42");
    session.press(b"Q");
    session.ends_clean();
    let engine = pid_in(&ground.said(&["status"]).1).unwrap();

    let far = Far::new(&ground, home);
    let mut there = far.console_there(home);
    there.watch("INC-42");
    there.press_still(b"5", "Runbooks that fit");
    there.press_still(b"a", "step 1 of 3");
    there.press_still(b"a", "This changes the world");
    there.press_still(b"y", "running");
    assert_eq!(ground.lines(), [""; 0], "it was over before the line dropped");
    let mut here = far.console_here(home);
    here.watch("INC-42");
    here.press_still(b"5", "step 1 of 3");
    let (mut took_there, mut took_here) = (Vec::new(), Vec::new());
    for drop in 0..drops {
        let begun = Instant::now();
        assert!(far.drop_lines() > 0, "drop {drop}: nobody was served");
        // The one is left by its console, and somebody comes anew; the other comes back by itself.
        there.ends();
        there = far.console_there(home);
        there.wait_for("INC-42");
        there.press(b"5");
        let step = if drop == 0 { "of 3" } else { "step 2 of 3" };
        there.wait_for(step);
        took_there.push(begun.elapsed());
        here.wait_for("the engine is back");
        took_here.push(begun.elapsed());
        if drop == 0 {
            until("the end of the command", || ground.lines() == ["one"]);
            there.wait_for("step 2 of 3");
        }
        here.wait_for("step 2 of 3");
        // What is told is told anew the next time.
        here.press(b"\x1b");
        here.settle(Duration::from_millis(200));
        let status = ground.said(&["status"]).1;
        assert_eq!(pid_in(&status), Some(engine), "drop {drop}: {status}");
        assert_eq!(ground.lines(), ["one"], "drop {drop}");
    }
    for (what, took) in [("a new console by ssh", &mut took_there), ("hypo attach by itself", &mut took_here)] {
        took.sort();
        let at = |share: usize| took[(took.len() - 1) * share / 100].as_millis();
        println!("{drops} drops, {what}: median {} ms, p95 {} ms, most {} ms", at(50), at(95), at(100));
    }
    // The run goes on from there.
    here.press_still(b"a", "This changes the world");
    here.press_still(b"y", "step 3 of 3");
    assert_eq!(ground.lines(), ["one", "two"]);
    for session in [&mut here, &mut there] {
        session.press(b"Q");
    }
    here.ends_clean();
    there.ends();
    let run = &ground.stored_runs()[&1];
    assert!(
        run.steps[..2].iter().all(|step| matches!(step.state, StepState::Succeeded { .. }) && step.begun.len() == 1)
    );
}
