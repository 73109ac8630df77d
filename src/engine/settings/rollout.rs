//! How patches are rolled out: pace, soak, windows, what may be patched where and by what.

mod portion;
mod proof;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use super::Span;
use super::policy::readable;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
pub use portion::Portion;
pub use proof::ProofSettings;

/// The pace of a rollout and what stops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSettings {
    /// From the last target of staging to the first of production.
    pub soak: Span,
    /// Targets of a ring under way at once.
    pub batch: Portion,
    /// Members of a service that must stay healthy.
    pub healthy_min: Portion,
    /// Installations that may fail before the rollout stops.
    pub failures: u32,
    /// How long a target is watched before the next batch.
    pub validate: Span,
    /// Between two readings of its metrics meanwhile.
    pub watch: Span,
    /// How long patching one takes.
    pub takes: Span,
    /// With no end seen for this long it is unknown what happened.
    pub lost_after: Span,
    /// Level of significance of a worse metric, in percent.
    pub significance: u8,
    /// Least effect of a worse metric that counts, Cliff's delta in percent.
    pub effect: u8,
    /// Samples on each side without which nothing passes.
    pub samples: u32,
    /// Rings of production in order.
    pub rings: Vec<String>,
}

impl Default for RolloutSettings {
    fn default() -> Self {
        Self {
            soak: Span(2 * DAY_MS),
            batch: Portion::Count(1),
            healthy_min: Portion::Percent(50),
            failures: 0,
            validate: Span(10 * MINUTE_MS),
            watch: Span(10 * SECOND_MS),
            takes: Span(15 * MINUTE_MS),
            lost_after: Span(2 * HOUR_MS),
            significance: 5,
            effect: 33,
            samples: 20,
            rings: Vec::new(),
        }
    }
}

/// When something may, or may not, be patched, time and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSettings {
    /// What it is called.
    pub name: String,
    /// Time zone, by IANA's name.
    pub zone: String,
    /// When it begins there: five fields of cron.
    pub begins: String,
    /// For how long, in time that passes whatever the clock on the wall does.
    pub lasts: Span,
    /// Which environments; every one where empty.
    #[serde(default)]
    pub environments: Vec<crate::engine::patches::inventory::Environment>,
    /// Which rings; every one where empty.
    #[serde(default)]
    pub rings: Vec<String>,
    /// Which classes, as a regular expression for the whole name; every one where it is left out.
    #[serde(default)]
    pub classes: Option<String>,
    /// Which assets, in the same way.
    #[serde(default)]
    pub assets: Option<String>,
}

/// What may be patched on a class of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowSettings {
    /// The classes, as a regular expression for the whole name.
    pub class: String,
    /// Binary packages, as regular expressions for the whole name.
    pub packages: Vec<String>,
}

/// By what packages are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchBy {
    /// On this machine.
    Local,
    /// Over `ssh`.
    Ssh,
    /// A playbook.
    Ansible,
    /// A job template.
    Awx,
}

/// How packages are installed on some assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSettings {
    /// The assets, as a regular expression for the whole name; every one where it is left out.
    #[serde(default)]
    pub assets: Option<String>,
    /// Their classes, in the same way.
    #[serde(default)]
    pub class: Option<String>,
    /// By what.
    pub by: PatchBy,
    /// The playbook or the template.
    #[serde(default)]
    pub name: Option<String>,
    /// Words before the package manager's, such as `sudo` and `-n`.
    #[serde(default)]
    pub before: Vec<String>,
}

/// What a server is to the others that carry the same service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerRole {
    /// Holds nothing.
    #[default]
    Stateless,
    /// Holds a copy.
    Replica,
    /// Holds the original.
    Primary,
}

/// What is known of a class of servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSettings {
    /// The classes, as a regular expression for the whole name.
    pub class: String,
    /// What they are to one another.
    #[serde(default)]
    pub role: ServerRole,
    /// How many must stay healthy, in place of the rollout's.
    #[serde(default)]
    pub healthy_min: Option<Portion>,
}

/// A unit that must be up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSettings {
    /// The packages, as a regular expression for the whole name.
    pub package: String,
    /// Unit of systemd.
    pub unit: String,
}

/// What is wrong under `[patches]`, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct PatchProblem {
    /// `rollout`, `window` …
    pub section: &'static str,
    /// Which key of it.
    pub key: Option<&'static str>,
    /// Which of them, from 0, where it can be repeated.
    pub index: Option<usize>,
    text: String,
}

impl PatchProblem {
    /// Of a key that a section has once.
    pub(super) fn key(section: &'static str, key: &'static str, text: String) -> Self {
        Self { section, key: Some(key), index: None, text }
    }

    /// Of one of several.
    pub(super) fn one(section: &'static str, index: usize, text: String) -> Self {
        Self { section, key: None, index: Some(index), text }
    }
}

impl RolloutSettings {
    /// Holds every value against what it may be.
    ///
    /// # Errors
    /// The first that cannot be meant.
    pub fn check(&self) -> Result<(), PatchProblem> {
        let wrong = |key, text| Err(PatchProblem { section: "rollout", key: Some(key), index: None, text });
        let spans = [
            ("soak", self.soak, HOUR_MS, 30 * DAY_MS),
            ("validate", self.validate, MINUTE_MS, DAY_MS),
            ("watch", self.watch, SECOND_MS, MINUTE_MS),
            ("takes", self.takes, MINUTE_MS, DAY_MS),
            ("lost_after", self.lost_after, self.takes.0, 2 * DAY_MS),
        ];
        for (key, span, least, most) in spans {
            if !(least..=most).contains(&span.0) {
                let (least, most) = (Span(least), Span(most));
                let text = format!("`{key}` = {span} under [patches.rollout] cannot be meant; write {least} to {most}");
                return wrong(key, text);
            }
        }
        if matches!(self.batch, Portion::Count(0) | Portion::Percent(0)) {
            let text = format!("`batch` = {} under [patches.rollout] patches nothing; write \"1\" or more", self.batch);
            return wrong("batch", text);
        }
        for (key, percent, least, most) in [("significance", self.significance, 1, 20), ("effect", self.effect, 1, 100)]
        {
            if !(least..=most).contains(&percent) {
                let text =
                    format!("`{key}` = {percent} under [patches.rollout] cannot be meant; write {least} to {most}");
                return wrong(key, text);
            }
        }
        if self.samples < 5 {
            let text = format!(
                "`samples` = {} under [patches.rollout] proves nothing; write 5 or more, 20 is usual",
                self.samples
            );
            return wrong("samples", text);
        }
        Ok(())
    }
}

/// What begins less than this after it began is meant otherwise.
const LASTS_MS_MIN: i64 = 5 * MINUTE_MS;
/// What lasts longer is no window.
const LASTS_MS_MAX: i64 = 31 * DAY_MS;
/// From here on recurrences are tried: a leap year follows, and rules that have no day at all are found.
const TRIED_FROM: &str = "2027-01-01T00:00:00Z";
/// So many of them.
const TRIED: usize = 400;

/// Reads a rule of recurrence: five fields of cron.
///
/// # Errors
/// When it is none.
pub fn recurrence(text: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|problem| {
        format!("`begins` = `{text}` is no rule of five fields, such as `0 2 * * SUN` for Sundays at 02:00 ({problem})")
    })
}

/// Reads the name of a time zone.
///
/// # Errors
/// When there is none of that name.
pub fn zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| format!("`zone` = `{text}` is no time zone; write one by its name, such as Europe/Berlin"))
}

impl WindowSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.trim().is_empty() {
            return Err("a window or freeze has no `name`; write one, it is shown as the reason".to_owned());
        }
        zone(&self.zone)?;
        let cron = recurrence(&self.begins)?;
        if !(LASTS_MS_MIN..=LASTS_MS_MAX).contains(&self.lasts.0) {
            return Err(format!("`lasts` = {} of `{name}` cannot be meant; write 5m to 31d", self.lasts));
        }
        for (key, pattern) in [("classes", &self.classes), ("assets", &self.assets)] {
            pattern.as_deref().map_or(Ok(()), |pattern| readable(key, pattern))?;
        }
        let mut at = TRIED_FROM.parse::<DateTime<Utc>>().unwrap_or_default();
        for number in 0..TRIED {
            let Ok(next) = cron.find_next_occurrence(&at, number == 0) else {
                return Err(format!("`begins` = `{}` of `{name}` names no day that there is", self.begins));
            };
            // The hour that a change of the clock may take away belongs to it.
            if number > 0 && (next - at).num_milliseconds() < self.lasts.0 {
                let (begins, lasts) = (&self.begins, self.lasts);
                return Err(format!(
                    "`{name}` begins again (`{begins}`) before it is over (`lasts` = {lasts}); write a shorter `lasts`"
                ));
            }
            at = next;
        }
        Ok(())
    }
}

impl AllowSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        readable("class", &self.class)?;
        self.packages.iter().try_for_each(|package| readable("packages", package))
    }
}

impl MethodSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, pattern) in [("assets", &self.assets), ("class", &self.class)] {
            pattern.as_deref().map_or(Ok(()), |pattern| readable(key, pattern))?;
        }
        let has_name = self.name.as_deref().is_some_and(|name| !name.trim().is_empty());
        match self.by {
            PatchBy::Ansible if !has_name => {
                Err("`by` = \"ansible\" under [[patches.method]] wants the playbook as `name`".to_owned())
            }
            PatchBy::Awx if !has_name => {
                Err("`by` = \"awx\" under [[patches.method]] wants the template as `name`".to_owned())
            }
            PatchBy::Local | PatchBy::Ssh if self.name.is_some() => {
                Err("`name` under [[patches.method]] is for \"ansible\" and \"awx\"; take it away".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl ClassSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        readable("class", &self.class)
    }
}

impl ProbeSettings {
    pub(super) fn check(&self) -> Result<(), String> {
        readable("package", &self.package)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "@-._:\\".contains(c);
        if self.unit.is_empty() || self.unit.starts_with('-') || !self.unit.chars().all(is_plain) {
            return Err(format!(
                "`unit` = `{}` under [[patches.probe]] names no unit of systemd, such as nginx.service",
                self.unit
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key_and_value() {
        let usual = RolloutSettings::default;
        assert_eq!(usual().check(), Ok(()));
        for (wrong, key, says) in [
            (RolloutSettings { soak: Span(0), ..usual() }, "soak", "`soak` = 0ms"),
            (RolloutSettings { validate: Span(1), ..usual() }, "validate", "write 1m to 1d"),
            (RolloutSettings { watch: Span(HOUR_MS), ..usual() }, "watch", "`watch` = 1h"),
            (RolloutSettings { lost_after: Span(MINUTE_MS), ..usual() }, "lost_after", "write 15m to 2d"),
            (RolloutSettings { batch: Portion::Percent(0), ..usual() }, "batch", "patches nothing"),
            (RolloutSettings { significance: 0, ..usual() }, "significance", "write 1 to 20"),
            (RolloutSettings { effect: 101, ..usual() }, "effect", "`effect` = 101"),
            (RolloutSettings { samples: 4, ..usual() }, "samples", "proves nothing"),
        ] {
            let problem = wrong.check().unwrap_err();
            assert_eq!((problem.section, problem.key), ("rollout", Some(key)));
            assert!(problem.to_string().contains(says), "{problem}");
        }
    }

    #[test]
    fn methods_and_probes_say_what_they_want() {
        let method = |by, name: Option<&str>| MethodSettings {
            assets: None,
            class: None,
            by,
            name: name.map(str::to_owned),
            before: Vec::new(),
        };
        assert_eq!(method(PatchBy::Ansible, Some("patch.yml")).check(), Ok(()));
        assert!(method(PatchBy::Ansible, None).check().unwrap_err().contains("playbook"));
        assert!(method(PatchBy::Awx, Some(" ")).check().unwrap_err().contains("template"));
        assert!(method(PatchBy::Ssh, Some("x")).check().unwrap_err().contains("take it away"));
        for (unit, is_good) in [("nginx.service", true), ("getty@tty1.service", true), ("-x", false), ("a b", false)] {
            let probe = ProbeSettings { package: "nginx".to_owned(), unit: unit.to_owned() };
            assert_eq!(probe.check().is_ok(), is_good, "{unit}");
        }
    }
}
