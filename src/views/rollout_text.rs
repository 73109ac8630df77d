//! A rollout in words: where it and each of its targets stand, what holds them, how health was judged.

use super::text::{self, counted};
use super::theme::Role;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::model::human_span;
use crate::engine::snapshot::rollout::{
    Acting, Hold, KeptRollout, Reboot, Rollout, RolloutEnd, RolloutState, Soak, Target, TargetRecord, TargetState,
};

use super::patch_text::stamp;

/// Role, symbol and word of where a rollout stands: the three always go together.
pub fn state(rollout: &Rollout) -> (Role, &'static str, &'static str) {
    match &rollout.state {
        RolloutState::Proposed => (Role::SeverityInfo, "○", "proposed"),
        RolloutState::Running => (Role::TextStrong, "▶", "running"),
        RolloutState::Paused { .. } => (Role::SeverityWarning, "△", "paused"),
        RolloutState::Ending { end: RolloutEnd::RolledBack, .. } => (Role::SeverityCritical, "◀", "rolling back"),
        RolloutState::Ending { .. } => (Role::SeverityWarning, "■", "ending"),
        RolloutState::Ended { end: RolloutEnd::Done, .. } => (Role::TextMuted, "✓", "done"),
        RolloutState::Ended { end: RolloutEnd::Stopped, .. } => (Role::TextMuted, "■", "stopped"),
        RolloutState::Ended { end: RolloutEnd::RolledBack, .. } => (Role::SeverityCritical, "◀", "rolled back"),
    }
}

/// Why it stands there, where there is a reason to tell.
pub fn why(rollout: &Rollout) -> Option<String> {
    match &rollout.state {
        RolloutState::Paused { why, incident: Some(incident) } if !why.contains(&incident.to_string()) => {
            Some(format!("{incident}: {why}"))
        }
        RolloutState::Paused { why, .. } | RolloutState::Ending { why, .. } => Some(why.clone()),
        RolloutState::Ended { why, at, .. } => {
            let back =
                rollout.targets.iter().filter(|(_, record)| matches!(record.state, TargetState::RolledBack { .. }));
            let stays = back.filter_map(|(name, _)| rollout.plan.targets.get(name)).map(Target::what_stays).max();
            Some(format!("{why}, since {}{}", stamp(*at), stays.unwrap_or_default()))
        }
        RolloutState::Proposed | RolloutState::Running => None,
    }
}

/// Role, symbol and word of where a target stands.
pub fn target(state: &TargetState) -> (Role, &'static str, &'static str) {
    let (role, symbol) = match state {
        TargetState::Waiting { .. } => (Role::TextMuted, "○"),
        TargetState::Patching { .. } => (Role::TextStrong, "▶"),
        TargetState::Validating { undecided: Some(_), .. } | TargetState::Unknown { .. } => (Role::TextProblem, "?"),
        TargetState::Validating { .. } => (Role::TextStrong, "◉"),
        TargetState::Done { .. } => (Role::Text, "✓"),
        TargetState::RebootPending { why: Reboot::Needed(_), .. } => (Role::SeverityWarning, "△"),
        TargetState::RebootPending { why: Reboot::Untold(_), .. } => (Role::SeverityWarning, "?"),
        TargetState::Failed { .. } | TargetState::CannotRollBack { .. } => (Role::TextProblem, "✗"),
        TargetState::RollingBack { .. } => (Role::SeverityWarning, "◀"),
        TargetState::RolledBack { .. } => (Role::TextMuted, "◀"),
        TargetState::Skipped { .. } => (Role::TextMuted, "–"),
    };
    (role, symbol, state.word())
}

/// What there is to tell of a target beyond its word: what holds it, since when, why.
pub fn of_target(rollout: &Rollout, name: &str, record: &TargetRecord, now: Timestamp) -> String {
    let since = |at: Timestamp| format!("since {}", text::clock(at, now));
    let told = match &record.state {
        TargetState::Waiting { .. } if rollout.is_over() => "it was never begun".to_owned(),
        TargetState::Waiting { hold: Some(it) } => hold(it, now),
        TargetState::Waiting { hold: None } => "its turn has not come".to_owned(),
        TargetState::Patching { since: at } => since(*at),
        TargetState::Validating { undecided: Some(report), .. } => format!("you decide: {}", report.words),
        TargetState::Validating { since: at, reboot, .. } => {
            let ends = text::clock(*at + rollout.plan.pace.validate_ms, now);
            // Why stands in the target's detail.
            let reboot = match reboot {
                None => "",
                Some(Reboot::Needed(_)) => "; must be rebooted, or restarted",
                Some(Reboot::Untold(_)) => "; whether it must be rebooted could not be told",
            };
            format!("watched until {ends}{reboot}")
        }
        TargetState::Done { at } => format!("healthy, {}", since(*at)),
        TargetState::RebootPending { why: Reboot::Needed(why), .. } => why.clone(),
        TargetState::RebootPending { why, .. } => reboot_of(why),
        TargetState::Failed { why } | TargetState::CannotRollBack { why } | TargetState::RollingBack { why, .. } => {
            why.clone()
        }
        TargetState::Unknown { was: Acting::Patching, .. } => {
            "its end was not seen; is the new version there?".to_owned()
        }
        TargetState::Unknown { was: Acting::RollingBack, .. } => {
            "the end of taking it back was not seen; is the new version there?".to_owned()
        }
        TargetState::RolledBack { at } => format!("has its old versions, {}", since(*at)),
        TargetState::Skipped { by, why } => format!("{by}: {why}"),
    };
    match rollout.undo.of(name) {
        Some((place, _)) => format!("{told} · to be taken back as number {}", place + 1),
        None => told,
    }
}

/// What keeps what is installed from being what runs. Where that is not known it is not called so.
pub fn reboot_of(reboot: &Reboot) -> String {
    match reboot {
        Reboot::Needed(why) => format!("must be rebooted, or restarted: {why}"),
        Reboot::Untold(why) => format!("whether it must be rebooted could not be told: {why}"),
    }
}

/// How long something takes, by the minute so that an idle screen stays still: `28 h`, `1 d 4 h`.
pub fn span(ms: i64) -> String {
    match ms / MINUTE_MS {
        ..=0 => "under a minute".to_owned(),
        minutes => human_span(minutes * MINUTE_MS),
    }
}

/// The same to the hour and day, where the instant itself stands beside it.
pub fn rough_span(ms: i64) -> String {
    match ms {
        ms if ms < HOUR_MS => span(ms),
        ms if ms < 2 * DAY_MS => format!("{} h", ms / HOUR_MS),
        ms => format!("{} d", ms / DAY_MS),
    }
}

/// What holds a target, with the time that is left.
pub fn hold(hold: &Hold, now: Timestamp) -> String {
    let at = |at: Timestamp| {
        let clock = text::clock(at, now);
        if at > now { format!("{clock}, in {}", span(at.since_ms(now))) } else { clock }
    };
    match hold {
        Hold::Frozen { name, until } => format!("freeze {name} until {}", at(*until)),
        Hold::FreezeNear { name, at: from } => format!("freeze {name} begins {}, before it would be done", at(*from)),
        Hold::NoWindow => "no window is for it: [[patches.window]] makes one".to_owned(),
        Hold::WindowShut { next: Some(next) } => format!("window opens {}", at(*next)),
        Hold::WindowShut { next: None } => "no window opens any more".to_owned(),
        Hold::WindowShort { until } => format!("window closes {}, before it would be done", at(*until)),
        Hold::Soak(until) if *until > now => format!("staging soaks, {} left", span(until.since_ms(now))),
        Hold::Soak(_) => "staging has soaked, its health is being compared".to_owned(),
        other => other.to_string(),
    }
}

/// Where the soak stands; nothing where no staging is before production.
pub fn soak(rollout: &Rollout, now: Timestamp) -> (Role, String) {
    match &rollout.soak {
        Soak::Before => {
            (Role::TextMuted, format!("{} after staging, before production", human_span(rollout.plan.pace.soak_ms)))
        }
        Soak::Running { until, .. } if *until > now => {
            (Role::TextStrong, format!("{} left, until {}", span(until.since_ms(now)), stamp(*until)))
        }
        Soak::Running { .. } => (Role::TextStrong, "over; health is being compared".to_owned()),
        Soak::Passed { report } => (Role::Text, format!("✓ pass: {}", report.words)),
        Soak::Failed { report } => (Role::TextProblem, format!("✗ fail: {}", report.words)),
        Soak::Undecided { report } => (Role::TextProblem, format!("? you decide: {}", report.words)),
        Soak::Decided { by, reason } => (Role::Text, format!("✓ decided by {by}: {reason}")),
    }
}

/// `6 done · 2 patching · 4 waiting`, what is under way first.
pub fn tally(rollout: &Rollout) -> String {
    let tally = rollout.tally();
    const ORDER: [&str; 13] = [
        "unknown",
        "undecided",
        "failed",
        "cannot roll back",
        "rolling back",
        "patching",
        "validating",
        "done",
        "reboot pending",
        "reboot unknown",
        "rolled back",
        "skipped",
        "waiting",
    ];
    let told = ORDER.iter().filter_map(|word| tally.get(word).map(|count| format!("{count} {word}")));
    told.collect::<Vec<_>>().join(" · ")
}

/// `4 of 6`: targets that are done.
pub fn progress(rollout: &Rollout) -> String {
    let is_done =
        |record: &&TargetRecord| matches!(record.state, TargetState::Done { .. } | TargetState::RebootPending { .. });
    let done = rollout.targets.values().filter(is_done).count();
    format!("{done} of {}", rollout.targets.len())
}

/// When a plan would begin if it were approved now.
pub fn beginning(kept: &KeptRollout, now: Timestamp) -> String {
    let first = kept.rollout.plan.order().next().map_or("", |target| target.name.as_str());
    match &kept.first_hold {
        None => format!("Approved, it begins at once with {first}."),
        Some(it) => format!("Approved, it begins with {first}, which would wait: {}.", hold(it, now)),
    }
}

/// `curl → 7.88.1-11`
pub fn subject(rollout: &Rollout) -> String {
    let fix = rollout.plan.fix_version.as_deref().unwrap_or("as each release has it");
    format!("{} → {fix}", rollout.plan.source)
}

/// `6 targets in 3 stages`
pub fn extent(rollout: &Rollout) -> String {
    let targets = counted(rollout.plan.targets.len() as u64, "target", "targets");
    let stages = counted(rollout.plan.stages.len() as u64, "stage", "stages");
    format!("{targets} in {stages}")
}

/// The first letters of a plan's digest.
pub fn digest(rollout: &Rollout) -> &str {
    rollout.plan.digest.get(..12).unwrap_or(&rollout.plan.digest)
}

/// True where nothing goes on before a person says something; one that ends does not come to its end either.
pub fn needs_person(rollout: &Rollout) -> bool {
    match &rollout.state {
        RolloutState::Proposed | RolloutState::Paused { .. } => true,
        RolloutState::Running => matches!(rollout.soak, Soak::Undecided { .. }) || asked(rollout).is_some(),
        RolloutState::Ending { .. } => asked(rollout).is_some(),
        RolloutState::Ended { .. } => false,
    }
}

/// Its targets in the plan's order.
fn in_order(rollout: &Rollout) -> impl Iterator<Item = (&str, &TargetRecord)> {
    let order = rollout.plan.order().map(|target| target.name.as_str());
    order.filter_map(|name| Some((name, rollout.targets.get(name)?)))
}

/// What a person is asked of the first target of which one is. What is taken back anyway is not decided on.
fn asked(rollout: &Rollout) -> Option<String> {
    in_order(rollout).find_map(|(name, record)| match &record.state {
        TargetState::Unknown { .. } => Some(format!("what happened on {name} is not known")),
        state if state.is_undecided() && !rollout.is_to_be_undone(name) => {
            Some(format!("a person decides whether {name} is healthy"))
        }
        _ => None,
    })
}

/// What holds a rollout as a whole: what a person has to say, or else what holds the first target that waits.
pub fn held_by(kept: &KeptRollout, now: Timestamp) -> Option<String> {
    let rollout = &kept.rollout;
    match &rollout.state {
        RolloutState::Proposed => return Some("it waits for its approval".to_owned()),
        RolloutState::Paused { .. } => return why(rollout).map(|why| format!("it is paused, {why}")),
        RolloutState::Running => {}
        RolloutState::Ending { .. } => return asked(rollout),
        RolloutState::Ended { .. } => return None,
    }
    if matches!(rollout.soak, Soak::Undecided { .. }) {
        return Some("the soak could not tell; a person decides".to_owned());
    }
    // Behind what is under way everything waits for it; it says more than that they do.
    asked(rollout).or_else(|| {
        in_order(rollout).find_map(|(name, record)| match &record.state {
            TargetState::Waiting { hold: Some(it) } => Some(format!("{name} waits: {}", hold(it, now))),
            state if state.is_under_way() => {
                Some(format!("{name} is {}, {}", state.word(), of_target(rollout, name, record, now)))
            }
            _ => None,
        })
    })
}
