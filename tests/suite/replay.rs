//! A recording gives the same picture again, bit for bit: incidents, causes, confidences, the audit log, everything.

use std::io::Write;
use std::path::Path;

use hypocenter::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::demo::scenarios;
use hypocenter::engine::demo::settings::settings;
use hypocenter::engine::demo::shop::Shop;
use hypocenter::engine::input::{Input, RequestId, TimedInput};
use hypocenter::engine::model::{IncidentId, Person};
use hypocenter::engine::pipeline::Engine;
use hypocenter::engine::request::Request;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::recorder::{RECORDING_VERSION, RecordingLine};
use hypocenter::engine::runtime::replay::Replay;

/// 2026-11-17 14:30 UTC, a Tuesday.
const START: Timestamp = Timestamp(1_794_925_800_000);

/// Everything that would come in during three minutes of a breaking shop, with an operator at work.
fn inputs() -> Vec<TimedInput> {
    let mut shop = Shop::new(scenarios::find("bad-deploy").unwrap(), 3, START);
    let mut inputs: Vec<TimedInput> =
        shop.history().map(|signal| TimedInput { now: START, input: Input::Signal(signal) }).collect();
    let mut now = START;
    while now < START + 3 * MINUTE_MS {
        now = now + SECOND_MS;
        inputs.extend(shop.advance(now).into_iter().map(|signal| TimedInput { now, input: Input::Signal(signal) }));
        inputs.push(TimedInput { now, input: Input::Tick });
    }
    let request = Request::Acknowledge { incident: IncidentId(1) };
    let input = Input::Request { id: RequestId(1), by: Person::admin("ana"), request };
    inputs.push(TimedInput { now, input });
    inputs
}

fn write(path: &Path, inputs: &[TimedInput]) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut put = |line: &RecordingLine| {
        serde_json::to_writer(&mut file, line).unwrap();
        file.write_all(b"\n").unwrap();
    };
    put(&RecordingLine::HypocenterRecording(RECORDING_VERSION));
    put(&RecordingLine::Settings(Box::new(settings(scenarios::find("bad-deploy").unwrap(), START))));
    for input in inputs {
        put(&RecordingLine::Input(Box::new(input.clone())));
    }
    file.flush().unwrap();
}

#[test]
fn a_recording_gives_the_same_picture_as_the_run_itself() {
    let inputs = inputs();
    let mut engine = Engine::new(settings(scenarios::find("bad-deploy").unwrap(), START), Library::shipped()).unwrap();
    for timed in &inputs {
        engine.handle(timed.input.clone(), timed.now);
    }
    let live = engine.snapshot(inputs.last().unwrap().now);
    assert_eq!(live.incidents.len(), 1, "the shop breaks once");
    assert!(live.incidents[0].ranking.cause().is_some(), "and the cause is found");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    write(&path, &inputs);
    let replayed = Replay::open(&path, Library::shipped()).unwrap().run().unwrap();
    assert_eq!(replayed.input_count, inputs.len() as u64);
    // Revisions count how often a picture was asked for; everything else must be equal to the last bit.
    let text = |snapshot: &hypocenter::engine::snapshot::Snapshot| {
        let mut snapshot = snapshot.clone();
        snapshot.revision = 0;
        serde_json::to_string(&snapshot).unwrap()
    };
    assert_eq!(text(&live), text(&replayed.snapshot));
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    for (text, expected) in [
        ("", "line 1"),
        ("{\"hypocenter_recording\":99}\n", "version 99"),
        ("{\"hypocenter_recording\":1}\n{\"input\":{\"now\":", "line 2"),
        ("not json\n", "line 1"),
    ] {
        std::fs::write(&path, text).unwrap();
        let problem = match Replay::open(&path, Library::shipped()) {
            Err(problem) => problem.to_string(),
            Ok(_) => panic!("{text:?} was taken for a recording"),
        };
        assert!(problem.contains(expected), "{text:?}: {problem}");
    }
}

#[test]
fn a_recording_that_was_cut_off_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    write(&path, &inputs()[..50]);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let problem = Replay::open(&path, Library::shipped()).unwrap().run().err().unwrap().to_string();
    assert!(problem.contains("line 52") && problem.contains("cut off"), "{problem}");
}
