//! A patch rolled out on the very machine that the program runs on, by its own `apt-get` and `dpkg-query`, there and back. The
//! packages are those of a database of the test's own: the machine keeps what it has.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::model::Run;
use hypocenter::engine::patches::inventory::{AssetNews, Environment, file, this_host};
use hypocenter::engine::patches::rollout::{RolloutEnd, RolloutRequest, RolloutState, TargetState};
use hypocenter::engine::request::Request;
use hypocenter::engine::settings::{EngineSettings, HostSettings, MethodSettings, PatchBy, Portion};

use super::patch_hosts::{Hosts, PACKAGE, VERSIONS};
use super::rollout_real::{ask, hasten, is_over, rollout, runtime_of, seen, take_feeds};

/// What the inventory calls this machine.
const HERE: &str = "here";
/// Where the process that does it all is told its folder.
const FOLDER: &str = "HYPO_HERE_FOLDER";

fn settings() -> EngineSettings {
    let mut settings = EngineSettings {
        host: HostSettings { enabled: false, ..HostSettings::default() },
        ..EngineSettings::default()
    };
    settings.runbooks.allowed_programs = ["apt-get", "dpkg-query"].map(str::to_owned).to_vec();
    // A process gets nothing of the environment that is not named.
    settings.runbooks.environment.extend(["APT_CONFIG", "DPKG_ADMINDIR"].map(str::to_owned));
    hasten(&mut settings);
    let patches = &mut settings.patches;
    // There is no other machine that could go on meanwhile.
    patches.rollout.healthy_min = Portion::Percent(0);
    patches.method =
        vec![MethodSettings { assets: None, class: None, by: PatchBy::Local, name: None, before: Vec::new() }];
    settings
}

/// What a scan of this machine would note, were the packages its own.
fn take_stock(hosts: &Hosts) {
    let (root, state) = (hosts.root(HERE), hosts.at("state"));
    for folder in [root.join("usr/lib"), state.clone(), hosts.at("home")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::copy("/etc/os-release", root.join("usr/lib/os-release")).unwrap();
    let installed = this_host::dpkg(&root).unwrap().unwrap();
    let news = AssetNews {
        environment: Some(Environment::Staging),
        class: Some("shop".to_owned()),
        ring: Some("staging".to_owned()),
        services: Some(vec!["shop".to_owned()]),
        ..this_host::news(&root, installed.packages).unwrap()
    };
    let _held = file::hold(&state).unwrap();
    let mut fleet = file::load(&state).unwrap();
    fleet.take(HERE, news, this_host::ORIGIN, Timestamp(chrono::Utc::now().timestamp_millis()));
    file::keep(&state, &fleet).unwrap();
}

fn output<'r>(run: &'r Run, step: &str) -> Vec<&'r str> {
    let (_, step) = run.step_named(step).unwrap();
    step.output.iter().map(AsRef::as_ref).collect()
}

/// All of it, in a process of its own, whose environment leads the package manager to the test's packages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test below"]
async fn there_and_back() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let hosts = Hosts::here_of_others(Path::new(&folder), HERE);
    let mut runtime = runtime_of(&hosts, usize::MAX, settings());
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    ask(&handle, Request::PlanRollout { source: PACKAGE.into() }).await;
    let snapshot = seen(&handle, "a plan", |snapshot| !snapshot.rollouts.is_empty()).await;
    let (id, plan) = (rollout(&snapshot).rollout.id, rollout(&snapshot).rollout.plan.clone());
    let lines = plan.lines().join("\n");
    assert!(lines.contains(&format!("{HERE}: {PACKAGE} {} -> {};", VERSIONS[0], VERSIONS[1])), "{lines}");
    // What health is before is measured once the plan is known.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let request = RolloutRequest::Approve { by: String::new(), digest: plan.digest.clone() };
    ask(&handle, Request::Rollout { rollout: id, request }).await;
    let is_healthy =
        |state: &TargetState| matches!(state, TargetState::Done { .. } | TargetState::RebootPending { .. });
    let snapshot = seen(&handle, "validated", |it| is_healthy(&rollout(it).rollout.targets[HERE].state)).await;
    assert_eq!((hosts.version(HERE).as_str(), hosts.installs(HERE, VERSIONS[1])), (VERSIONS[1], 1));
    let run = snapshot.runs.iter().find(|run| run.id == rollout(&snapshot).runs[HERE].run).unwrap();
    // Exactly what was installed, before it was.
    let shown: Vec<&str> = output(run, "dry-run").into_iter().filter(|line| line.starts_with("Inst ")).collect();
    let exactly = format!("Inst {PACKAGE} [{}] ({} ", VERSIONS[0], VERSIONS[1]);
    assert!(shown.len() == 1 && shown[0].starts_with(&exactly), "{shown:?}");
    assert!(output(run, "installed").iter().any(|line| line.contains(VERSIONS[1])), "{:?}", output(run, "installed"));
    let request = RolloutRequest::RollBack { by: String::new(), reason: "the shop wants the old one".to_owned() };
    ask(&handle, Request::Rollout { rollout: id, request }).await;
    let snapshot = seen(&handle, "its end", is_over).await;
    let told = format!("{:#?}", rollout(&snapshot).rollout);
    assert!(
        matches!(rollout(&snapshot).rollout.state, RolloutState::Ended { end: RolloutEnd::RolledBack, .. }),
        "{told}"
    );
    assert!(matches!(rollout(&snapshot).rollout.targets[HERE].state, TargetState::RolledBack { .. }), "{told}");
    assert_eq!((hosts.version(HERE).as_str(), hosts.installs(HERE, VERSIONS[1])), (VERSIONS[0], 1), "{told}");
    // Once by the test and once by the way back.
    assert_eq!(hosts.installs(HERE, VERSIONS[0]), 2, "{told}");
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}

#[test]
#[ignore = "needs the right to install packages below a folder; takes a minute"]
fn this_very_machine_is_patched_by_its_own_apt_and_taken_back() {
    let hosts = Hosts::here(HERE);
    take_stock(&hosts);
    take_feeds(&hosts);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["rollout_here::there_and_back", "--exact", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, hosts.at(""))
        .envs(hosts.environment(HERE))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(hosts.version(HERE), VERSIONS[0]);
}
