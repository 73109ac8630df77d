//! How much may be done without a person, and when nothing may be done at all.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::Span;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{ActionKind, AutonomyMode};

/// The policy. Nothing in it is changed at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    /// `observe` does nothing, `suggest` waits for a person at every step, `assist` begins what the rules allow.
    pub mode: AutonomyMode,
    /// Confidence in the cause, in percent, from which an act may begin by itself.
    pub act_confidence: u8,
    /// From which it may begin by itself and people are told at once; below it a person decides.
    pub notify_confidence: u8,
    /// Kinds of act that may begin by themselves; none by default.
    pub assist: Vec<ActionKind>,
    /// Silent trials of a kind of act that must be on record before it may begin by itself.
    pub shadow_min: u32,
    /// How long an act that begins by itself is on the screen first.
    pub veto: Span,
    /// After a run, how long what it verified must hold before the incident is over: 5 to 15 minutes are sensible.
    pub hold: Span,
    /// Other confidences for some acts and services; the first that fits holds.
    pub gate: Vec<GateSettings>,
    /// Times in which nothing is changed.
    pub freeze: Vec<FreezeSettings>,
    /// Services that hold data, as a regular expression for the whole name: a restart of one needs proofs first.
    pub databases: String,
    /// How long nothing begins by itself on a target after an act of another run or step on it.
    pub cooldown: Span,
    /// Acts that may begin by themselves within an hour, over all incidents.
    pub hourly_max: u32,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            mode: AutonomyMode::Suggest,
            act_confidence: 85,
            notify_confidence: 65,
            assist: Vec::new(),
            shadow_min: 20,
            veto: Span(30 * SECOND_MS),
            hold: Span(5 * MINUTE_MS),
            gate: Vec::new(),
            freeze: Vec::new(),
            databases: "(?i)(.*[-_.])?(db|database|sql|postgres|postgresql|pg|mysql|mariadb|mongo|mongodb|redis|cassandra|oracle|etcd|cockroach|elasticsearch|opensearch)([-_.0-9].*)?".to_owned(),
            cooldown: Span(10 * MINUTE_MS),
            hourly_max: 12,
        }
    }
}

/// What is wrong with the policy, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct PolicyProblem {
    /// Which key of `[policy]`.
    pub key: &'static str,
    /// Which of them, from 0, where it can be repeated.
    pub index: Option<usize>,
    text: String,
}

/// What `act` and `notify` of a gate are for never.
const NEVER: u8 = 101;
/// A failure that comes back does so within minutes: less proves nothing.
const HOLD_MS_MIN: i64 = 5 * MINUTE_MS;
/// What must hold for longer than this keeps incidents open that are over.
const HOLD_MS_MAX: i64 = 60 * MINUTE_MS;
/// What cools down for longer than this is not to be acted on by itself at all, which has keys of its own.
const COOLDOWN_MS_MAX: i64 = 24 * HOUR_MS;

impl PolicySettings {
    /// Holds every value against what it may be.
    ///
    /// # Errors
    /// The first that cannot be meant: it would begin acts, or hold them back, when nobody expects it.
    pub fn check(&self) -> Result<(), PolicyProblem> {
        let wrong = |key, text| Err(PolicyProblem { key, index: None, text });
        let (act, notify) = (self.act_confidence, self.notify_confidence);
        for (key, percent) in [("act_confidence", act), ("notify_confidence", notify)] {
            if percent > 100 {
                return wrong(key, format!("`{key}` = {percent} under [policy] is no percentage; write 0 to 100"));
            }
        }
        if notify > act {
            let text = format!(
                "`notify_confidence` = {notify} under [policy] is more than `act_confidence` = {act}; write {act} or less"
            );
            return wrong("notify_confidence", text);
        }
        if self.shadow_min == 0 {
            return wrong(
                "shadow_min",
                "`shadow_min` = 0 under [policy] asks for no trial; write 1 or more".to_owned(),
            );
        }
        if !(HOLD_MS_MIN..=HOLD_MS_MAX).contains(&self.hold.0) {
            let text = format!("`hold` = {} under [policy] proves too little or never ends; write 5m to 1h", self.hold);
            return wrong("hold", text);
        }
        if !(0..=COOLDOWN_MS_MAX).contains(&self.cooldown.0) {
            let text =
                format!("`cooldown` = {} under [policy] cannot be meant; write up to 24h, 10m is usual", self.cooldown);
            return wrong("cooldown", text);
        }
        readable("databases", &self.databases).or_else(|text| wrong("databases", text))?;
        let numbered = |key, index, text| PolicyProblem { key, index: Some(index), text };
        for (index, gate) in self.gate.iter().enumerate() {
            gate.check(act).map_err(|text| numbered("gate", index, text))?;
        }
        for (index, freeze) in self.freeze.iter().enumerate() {
            freeze.check().map_err(|text| numbered("freeze", index, text))?;
        }
        Ok(())
    }
}

/// A pattern for the whole name must be one.
pub(super) fn readable(key: &str, pattern: &str) -> Result<(), String> {
    // By itself as well: brackets must not pair with those around it.
    let read = Regex::new(pattern).and_then(|_| Regex::new(&format!(r"\A(?:{pattern})\z")));
    read.map(|_| ())
        .map_err(|_| format!("`{key}` = `{pattern}` is no regular expression; mend it, such as `shop|.*-api`"))
}

impl GateSettings {
    fn check(&self, act_confidence: u8) -> Result<(), String> {
        for (key, percent) in [("act", self.act), ("notify", self.notify)] {
            if let Some(percent) = percent.filter(|percent| *percent > NEVER) {
                return Err(format!(
                    "`{key}` = {percent} under [[policy.gate]] is no percentage; write 0 to 100, or {NEVER} for never"
                ));
            }
        }
        let act = self.act.unwrap_or(act_confidence);
        if let Some(notify) = self.notify.filter(|notify| *notify > act) {
            return Err(format!(
                "`notify` = {notify} under [[policy.gate]] is more than its `act`, which is {act}; write {act} or less"
            ));
        }
        self.services.as_deref().map_or(Ok(()), |pattern| readable("services", pattern))
    }
}

impl FreezeSettings {
    fn check(&self) -> Result<(), String> {
        let Self { name, from, until, services } = self;
        for (key, at) in [("from", from), ("until", until)] {
            if *at == Timestamp::default() {
                return Err(format!("freeze `{name}` has no `{key}`; write one, such as 2026-07-01T00:00:00Z"));
            }
        }
        if from >= until {
            return Err(format!(
                "`until` = {until} of freeze `{name}` is not after its `from` = {from}; write a later one"
            ));
        }
        services.as_deref().map_or(Ok(()), |pattern| readable("services", pattern))
    }
}

/// Confidences for some acts on some services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// Which kind of act; every kind where it is left out.
    pub action: Option<ActionKind>,
    /// Which services, as a regular expression for the whole name; every one where it is left out.
    pub services: Option<String>,
    /// In place of `act_confidence`, which holds where it is left out; 101 for never.
    pub act: Option<u8>,
    /// In place of `notify_confidence`, which holds where it is left out and `act` is not 101; with that, left out is never.
    pub notify: Option<u8>,
}

/// A time in which nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreezeSettings {
    /// What it is called.
    pub name: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Which services, as a regular expression for the whole name; every one where it is left out.
    pub services: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key_and_value() {
        let on = Timestamp(1_793_577_600_000);
        let freeze = |from: Timestamp, until: Timestamp, services: Option<&str>| PolicySettings {
            freeze: vec![FreezeSettings {
                name: "sale".to_owned(),
                from,
                until,
                services: services.map(str::to_owned),
            }],
            ..PolicySettings::default()
        };
        let gate = |act, notify, services: Option<&str>| PolicySettings {
            gate: vec![GateSettings { act, notify, services: services.map(str::to_owned), action: None }],
            ..PolicySettings::default()
        };
        let usual = PolicySettings::default;
        for good in [
            usual(),
            PolicySettings {
                hold: Span(5 * MINUTE_MS),
                act_confidence: 100,
                notify_confidence: 100,
                shadow_min: 1,
                ..usual()
            },
            PolicySettings { hold: Span(60 * MINUTE_MS), notify_confidence: 0, ..usual() },
            PolicySettings { cooldown: Span(0), hourly_max: 0, ..usual() },
            freeze(on, on + 1, Some("shop|.*-api")),
            gate(Some(101), Some(101), None),
            gate(Some(101), Some(50), Some("shop")),
            gate(Some(50), None, None),
        ] {
            assert_eq!(good.check(), Ok(()), "{good:?}");
        }
        for (wrong, key, index, says) in [
            (PolicySettings { act_confidence: 101, ..usual() }, "act_confidence", None, "`act_confidence` = 101"),
            (PolicySettings { notify_confidence: 200, ..usual() }, "notify_confidence", None, "200"),
            (PolicySettings { notify_confidence: 86, ..usual() }, "notify_confidence", None, "`act_confidence` = 85"),
            (PolicySettings { shadow_min: 0, ..usual() }, "shadow_min", None, "`shadow_min` = 0"),
            (PolicySettings { hold: Span(5 * MINUTE_MS - 1), ..usual() }, "hold", None, "`hold` = 299999ms"),
            (PolicySettings { hold: Span(60 * MINUTE_MS + 1), ..usual() }, "hold", None, "5m to 1h"),
            (PolicySettings { cooldown: Span(25 * HOUR_MS), ..usual() }, "cooldown", None, "`cooldown` = 25h"),
            (PolicySettings { databases: "(".to_owned(), ..usual() }, "databases", None, "`databases` = `(`"),
            (gate(Some(102), None, None), "gate", Some(0), "`act` = 102"),
            (gate(None, Some(255), None), "gate", Some(0), "`notify` = 255"),
            (gate(None, Some(86), None), "gate", Some(0), "`notify` = 86"),
            (gate(None, None, Some("a)(b")), "gate", Some(0), "`services` = `a)(b`"),
            (freeze(Timestamp(0), on, None), "freeze", Some(0), "no `from`"),
            (freeze(on, Timestamp(0), None), "freeze", Some(0), "no `until`"),
            (freeze(on, on, None), "freeze", Some(0), "not after its `from`"),
            (freeze(on, on + 1, Some("[")), "freeze", Some(0), "`services` = `[`"),
        ] {
            let problem = wrong.check().unwrap_err();
            assert_eq!((problem.key, problem.index), (key, index), "{problem}");
            assert!(problem.to_string().contains(says), "{problem}");
        }
    }
}
