//! Many consoles on one engine, over real sockets: one offer that all of them accept at once, and who sees whom.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hypocenter::app::attach::pump::{self, Joined};
use hypocenter::app::engine_link::EngineLink;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::model::StepState;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::settings::AttachSettings;
use hypocenter::engine::snapshot::Snapshot;
use tokio::time::timeout;

use super::walking::{self, Ground, INCIDENT};

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
const CONSOLES: usize = 16;
const STEPS: usize = 6;

/// `hypo serve` on a ground, ended with the test however that ends.
struct Engine(Child);

impl Engine {
    fn start(home: &Path, ground: &Ground, page: &str) -> Self {
        let pages = home.join("pages");
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(pages.join("mend.md"), page).unwrap();
        let config = home.join("config.toml");
        let (pages, program) = (pages.display().to_string(), ground.program("act.sh"));
        let text =
            format!("[host]\nenabled = false\n[runbooks]\nfolders = [{pages:?}]\nallowed_programs = [{program:?}]\n");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
        command.env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
        command.arg("--config").arg(&config).arg("--state-dir").arg(ground.state_dir()).arg("serve");
        let mut engine = Self(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(engine.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listens at"), "{line}");
        engine
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

async fn when(joined: &Joined, what: &str, is_so: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
    let mut snapshots = joined.handle.snapshots();
    let seen = timeout(PATIENCE, snapshots.wait_for(is_so)).await;
    seen.unwrap_or_else(|_| panic!("never: {what}")).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_consoles_that_approve_one_offer_one_is_obeyed_and_all_others_told_by_whom() {
    let home = tempfile::tempdir().unwrap();
    let ground = Ground::lay(home.path(), "0.3");
    let program = ground.program("act.sh");
    let names: Vec<String> = (0..STEPS).map(|step| format!("step-{step}")).collect();
    let mut steps: Vec<(&str, String)> =
        names.iter().map(|name| (name.as_str(), walking::act(&program, name, ""))).collect();
    steps.push(("home", walking::verify()));
    let engine = Engine::start(home.path(), &ground, &walking::page(&steps));
    let place = Place::of(&ground.state_dir(), &AttachSettings::default());
    let mut consoles = Vec::new();
    for _ in 0..CONSOLES {
        consoles.push(pump::join(place.clone(), None).await.unwrap());
    }
    let me = consoles[0].welcome.person.clone();
    let is_offered = |snapshot: &Arc<Snapshot>| snapshot.proposals.get(&INCIDENT).is_some_and(|all| !all.is_empty());
    let offered = when(&consoles[0], "a proposal", is_offered).await;
    let begun = consoles[0].handle.send(&me, walking::start(&offered)).await.unwrap();
    assert!(matches!(begun, Reply::Done { .. }), "{begun:?}");
    for step in 0..STEPS {
        let mut wishes = Vec::new();
        for console in &consoles {
            // Each approves what its own screen shows.
            let shown = when(console, "an offer", |snapshot| {
                walking::run(snapshot).is_some_and(|run| run.steps[step].state == StepState::Waiting)
            })
            .await;
            let run = walking::run(&shown).unwrap();
            let digest = Arc::clone(&run.steps[step].offer);
            wishes.push(Request::Approve { run: run.id, step, digest, typed_target: None });
        }
        let answers: Vec<_> =
            consoles.iter().zip(wishes).map(|(console, wish)| console.handle.send(&me, wish)).collect();
        let mut done = 0;
        for answer in answers {
            match timeout(PATIENCE, answer).await.unwrap().unwrap() {
                Reply::Done { .. } => done += 1,
                Reply::Refused { reason } => {
                    assert!(reason.contains("you approved this at"), "round {step}: {reason}");
                }
                Reply::Lost { reason } => panic!("{reason}"),
            }
        }
        assert_eq!(done, 1, "round {step}");
        when(&consoles[step], "the end of the step", |snapshot| {
            walking::run(snapshot).is_some_and(|run| run.steps[step].state.is_passed())
        })
        .await;
    }
    assert_eq!(ground.lines(), names, "each step was carried out once");
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_see_one_another_and_what_the_others_look_at_until_the_line_ends() {
    let home = tempfile::tempdir().unwrap();
    let ground = Ground::lay(home.path(), "0");
    let act = walking::act(&ground.program("act.sh"), "one", "");
    let page = walking::page(&[("one", act), ("home", walking::verify())]);
    let engine = Engine::start(home.path(), &ground, &page);
    let place = Place::of(&ground.state_dir(), &AttachSettings::default());
    // Who takes pictures and shows nothing, as a listing does, is not among those who are here.
    let listing = pump::join(place.clone(), None).await.unwrap();
    let watcher = pump::join(place.clone(), None).await.unwrap();
    let own = EngineLink::attached(pump::join(place.clone(), None).await.unwrap());
    own.looks(None, &Arc::from("Now"));
    let mut others = Vec::new();
    for _ in 1..CONSOLES {
        others.push(EngineLink::attached(pump::join(place.clone(), None).await.unwrap()));
    }
    for other in &others {
        other.looks(None, &Arc::from("Now"));
    }
    when(&watcher, "everybody", |snapshot| snapshot.present.len() == CONSOLES).await;
    let name = watcher.welcome.person.name.clone();
    for (number, other) in others.iter().enumerate() {
        let incident = (number % 2 == 0).then_some(INCIDENT);
        other.looks(incident, &Arc::from(if number % 2 == 0 { "Incident" } else { "Log" }));
    }
    let looking = |snapshot: &Arc<Snapshot>, pane: &str| {
        snapshot.present.iter().filter(|present| present.pane.as_ref() == pane).count()
    };
    let seen = when(&watcher, "what they look at", |snapshot| {
        looking(snapshot, "Incident") == CONSOLES / 2 && looking(snapshot, "Log") == CONSOLES / 2 - 1
    })
    .await;
    for present in &seen.present {
        assert_eq!(present.name, name);
        assert_eq!(present.incident.is_some(), present.pane.as_ref() == "Incident", "{present:?}");
    }
    others.truncate(2);
    when(&watcher, "those who stayed", |snapshot| snapshot.present.len() == 3).await;
    drop((listing, own, engine));
}
