//! One driver a run: who begins it or takes its wheel acts on it, the others watch and may ask for the wheel. Pure.
//!
//! A driver who is not attached, or only looks on, holds nobody up: whoever acts next drives. One who is there is asked, and has
//! a minute to give the wheel or keep it. So there is never more than one, and always somebody who may.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::clock::Timestamp;
use crate::engine::limits::WHEEL_ANSWER_MS;
use crate::engine::model::{Person, Role, RunId, Wheel, WheelAsked};

/// The wheels of all runs that are under way; a run that nobody drives has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wheels(BTreeMap<RunId, Wheel>);

/// Whether this person is attached at a console that may act.
pub type IsThere<'a> = &'a dyn Fn(&str) -> bool;

/// Something that happened to a wheel, for the log and the run's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// Of which run.
    pub run: RunId,
    /// Who did it.
    pub by: Arc<str>,
    /// What, in the past tense.
    pub text: String,
}

/// Why a wheel stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WheelRefusal {
    /// Somebody else drives.
    #[error("{driver} drives {run} since {}; ask for the wheel first, and act once you have it", .since.hh_mm_ss())]
    Driven {
        /// Which run.
        run: RunId,
        /// Who.
        driver: Arc<str>,
        /// Since when.
        since: Timestamp,
    },
    /// Who wants it has it.
    #[error("you drive {run} already")]
    Yours {
        /// Which run.
        run: RunId,
    },
    /// Somebody else asked before.
    #[error("{by} asked for the wheel of {run} at {} and waits for {driver}; ask again once that is answered", .at.hh_mm_ss())]
    AskedBefore {
        /// Which run.
        run: RunId,
        /// Who asked.
        by: Arc<str>,
        /// When.
        at: Timestamp,
        /// Who is to answer.
        driver: Arc<str>,
    },
    /// It can be taken only after it was asked for.
    #[error(
        "{driver} drives {run} and is here; ask for the wheel: it is yours once it is given, or without an answer after {} s",
        WHEEL_ANSWER_MS / 1_000
    )]
    NotYet {
        /// Which run.
        run: RunId,
        /// Who.
        driver: Arc<str>,
    },
    /// Only the driver gives it or keeps it.
    #[error("{} {run}, so its wheel is not yours to give or to keep", who_drives(.driver.as_deref()))]
    NotYours {
        /// Which run.
        run: RunId,
        /// Who drives, where anybody does.
        driver: Option<Arc<str>>,
    },
    /// There is nothing to answer.
    #[error("nobody asked for the wheel of {run}, so there is nothing to answer")]
    NotAsked {
        /// Which run.
        run: RunId,
    },
    /// Nobody is named, and nobody asked.
    #[error("nobody asked for the wheel of {run}; say who is to have it")]
    NobodyAsked {
        /// Which run.
        run: RunId,
    },
}

fn who_drives(driver: Option<&str>) -> String {
    driver.map_or_else(|| "nobody drives".to_owned(), |driver| format!("{driver} drives"))
}

impl Wheels {
    /// Every wheel.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<RunId, Wheel> {
        &self.0
    }

    /// Whoever begins a run drives it.
    pub fn begin(&mut self, run: RunId, by: &Arc<str>, now: Timestamp) {
        self.0.insert(run, Wheel { driver: Arc::clone(by), since: now, asked: None });
    }

    /// What acting on the run takes: nothing for its driver, the wheel where nobody drives who is there.
    ///
    /// # Errors
    /// When somebody else drives and is there; nothing has changed then.
    pub fn act(
        &mut self,
        run: RunId,
        by: &Arc<str>,
        is_there: IsThere<'_>,
        now: Timestamp,
    ) -> Result<Option<Turned>, WheelRefusal> {
        match self.0.get(&run) {
            Some(wheel) if wheel.driver == *by => Ok(None),
            Some(wheel) if is_there(&wheel.driver) => {
                Err(WheelRefusal::Driven { run, driver: Arc::clone(&wheel.driver), since: wheel.since })
            }
            _ => Ok(Some(self.take_over(run, by, now))),
        }
    }

    /// Why this person may not act on the run now, where that is so.
    #[must_use]
    pub fn refusal(&self, run: RunId, by: &Arc<str>, is_there: IsThere<'_>) -> Option<WheelRefusal> {
        let wheel = self.0.get(&run).filter(|wheel| wheel.driver != *by && is_there(&wheel.driver))?;
        Some(WheelRefusal::Driven { run, driver: Arc::clone(&wheel.driver), since: wheel.since })
    }

    /// Asks for the wheel, or takes it where nobody drives who is there.
    ///
    /// # Errors
    /// When the asker drives, or somebody else asked before.
    pub fn ask(
        &mut self,
        run: RunId,
        by: &Arc<str>,
        is_there: IsThere<'_>,
        now: Timestamp,
    ) -> Result<Turned, WheelRefusal> {
        let Some(wheel) = self.0.get_mut(&run).filter(|wheel| is_there(&wheel.driver)) else {
            return Ok(self.take_over(run, by, now));
        };
        let driver = Arc::clone(&wheel.driver);
        if driver == *by {
            return Err(WheelRefusal::Yours { run });
        }
        match &wheel.asked {
            Some(asked) if asked.by != *by && is_there(&asked.by) => {
                Err(WheelRefusal::AskedBefore { run, by: Arc::clone(&asked.by), at: asked.at, driver })
            }
            // Who asks twice does not wait longer for it.
            Some(asked) if asked.by == *by => Ok(Turned {
                run,
                by: Arc::clone(by),
                text: format!("asked {driver} for the wheel of {run} again; first at {}", asked.at.hh_mm_ss()),
            }),
            _ => {
                wheel.asked = Some(WheelAsked { by: Arc::clone(by), at: now });
                let text = format!("asked {driver} for the wheel of {run}");
                Ok(Turned { run, by: Arc::clone(by), text })
            }
        }
    }

    /// Takes the wheel: from who is gone or did not answer, or as a commander at once.
    ///
    /// # Errors
    /// When the taker drives, or the driver is there and has time left to answer.
    pub fn take(
        &mut self,
        run: RunId,
        by: &Person,
        is_there: IsThere<'_>,
        now: Timestamp,
    ) -> Result<Turned, WheelRefusal> {
        if let Some(wheel) = self.0.get(&run) {
            if wheel.driver == by.name {
                return Err(WheelRefusal::Yours { run });
            }
            if by.role < Role::Commander && is_there(&wheel.driver) && !is_unanswered(wheel, &by.name, now) {
                return Err(WheelRefusal::NotYet { run, driver: Arc::clone(&wheel.driver) });
            }
        }
        Ok(self.take_over(run, &by.name, now))
    }

    /// The driver passes the wheel on; to who asked for it where `to` is empty.
    ///
    /// # Errors
    /// When somebody else drives, or it is not said to whom.
    pub fn give(&mut self, run: RunId, by: &Arc<str>, to: &Arc<str>, now: Timestamp) -> Result<Turned, WheelRefusal> {
        let wheel = self.own(run, by)?;
        let asker = wheel.asked.as_ref().map(|asked| Arc::clone(&asked.by));
        let to = Some(Arc::clone(to)).filter(|to| !to.trim().is_empty()).or(asker);
        let to = to.ok_or(WheelRefusal::NobodyAsked { run })?;
        if to == *by {
            return Err(WheelRefusal::Yours { run });
        }
        let text = format!("gave the wheel of {run} to {to}");
        *wheel = Wheel { driver: to, since: now, asked: None };
        Ok(Turned { run, by: Arc::clone(by), text })
    }

    /// The driver goes on driving.
    ///
    /// # Errors
    /// When somebody else drives, or nobody asked.
    pub fn keep(&mut self, run: RunId, by: &Arc<str>) -> Result<Turned, WheelRefusal> {
        let asked = self.own(run, by)?.asked.take().ok_or(WheelRefusal::NotAsked { run })?;
        let text = format!("keeps the wheel of {run}, for which {} asked at {}", asked.by, asked.at.hh_mm_ss());
        Ok(Turned { run, by: Arc::clone(by), text })
    }

    /// What time does: who did not answer loses the wheel to who asked, and who asked and left no longer waits. Runs that are
    /// over have none.
    pub fn pass_time(&mut self, is_open: &dyn Fn(RunId) -> bool, is_there: IsThere<'_>, now: Timestamp) -> Vec<Turned> {
        self.0.retain(|run, _| is_open(*run));
        let asked = self.0.iter().filter_map(|(run, wheel)| {
            let by = Arc::clone(&wheel.asked.as_ref()?.by);
            let is_due = is_unanswered(wheel, &by, now) || !is_there(&wheel.driver);
            Some((*run, is_due, by))
        });
        let asked: Vec<(RunId, bool, Arc<str>)> = asked.collect();
        let mut turned = Vec::new();
        for (run, is_due, by) in asked {
            if !is_there(&by) {
                if let Some(wheel) = self.0.get_mut(&run) {
                    wheel.asked = None;
                }
                turned.push(Turned { run, by, text: format!("asked for the wheel of {run} and has left") });
            } else if is_due {
                turned.push(self.take_over(run, &by, now));
            }
        }
        turned
    }

    fn own(&mut self, run: RunId, by: &Arc<str>) -> Result<&mut Wheel, WheelRefusal> {
        match self.0.get_mut(&run) {
            Some(wheel) if wheel.driver == *by => Ok(wheel),
            other => {
                let driver = other.map(|wheel| Arc::clone(&wheel.driver));
                Err(WheelRefusal::NotYours { run, driver })
            }
        }
    }

    fn take_over(&mut self, run: RunId, by: &Arc<str>, now: Timestamp) -> Turned {
        let before = self.0.insert(run, Wheel { driver: Arc::clone(by), since: now, asked: None });
        let text = match before {
            Some(before) if before.asked.as_ref().is_some_and(|asked| asked.by == *by) => {
                format!("took the wheel of {run} from {}, who did not answer", before.driver)
            }
            Some(before) => format!("took the wheel of {run} from {}", before.driver),
            None => format!("took the wheel of {run}, which nobody had"),
        };
        Turned { run, by: Arc::clone(by), text }
    }
}

/// True where `by` has waited for an answer for as long as one takes.
fn is_unanswered(wheel: &Wheel, by: &str, now: Timestamp) -> bool {
    wheel.asked.as_ref().is_some_and(|asked| asked.by.as_ref() == by && now.since_ms(asked.at) >= WHEEL_ANSWER_MS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const RUN: RunId = RunId(1);
    const NAMES: [&str; 4] = ["ana", "bo", "cleo", "dai"];

    fn person(name: &str) -> Person {
        Person { name: name.into(), role: if name == "cleo" { Role::Commander } else { Role::Responder } }
    }

    #[derive(Debug, Clone)]
    enum Deed {
        Comes(usize),
        Leaves(usize),
        Acts(usize),
        Asks(usize),
        Takes(usize),
        Gives(usize, usize),
        Keeps(usize),
        Passes(i64),
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let who = 0..NAMES.len();
        prop::collection::vec(
            prop_oneof![
                who.clone().prop_map(Deed::Comes),
                who.clone().prop_map(Deed::Leaves),
                who.clone().prop_map(Deed::Acts),
                who.clone().prop_map(Deed::Asks),
                who.clone().prop_map(Deed::Takes),
                (who.clone(), who.clone()).prop_map(|(by, to)| Deed::Gives(by, to)),
                who.prop_map(Deed::Keeps),
                (0..90_000_i64).prop_map(Deed::Passes),
            ],
            0..60,
        )
    }

    proptest! {
        /// Never two who may act, always somebody who may or could by asking, and nobody waits for longer than a minute.
        #[test]
        fn one_drives_and_somebody_always_may(deeds in deeds()) {
            let mut wheels = Wheels::default();
            let mut here: BTreeSet<&str> = BTreeSet::new();
            let mut now = Timestamp(0);
            let names: Vec<Arc<str>> = NAMES.iter().map(|name| Arc::from(*name)).collect();
            for deed in deeds {
                let before = wheels.clone();
                let is_there = |name: &str| here.contains(name);
                // A refused deed changes nothing, and a driver who is there is not driven out before the time.
                let done = match &deed {
                    Deed::Comes(who) => { here.insert(NAMES[*who]); continue }
                    Deed::Leaves(who) => { here.remove(NAMES[*who]); continue }
                    Deed::Passes(ms) => {
                        now = now + *ms;
                        wheels.pass_time(&|_| true, &is_there, now);
                        true
                    }
                    Deed::Acts(who) => wheels.act(RUN, &names[*who], &is_there, now).is_ok(),
                    Deed::Asks(who) => wheels.ask(RUN, &names[*who], &is_there, now).is_ok(),
                    Deed::Takes(who) => wheels.take(RUN, &person(NAMES[*who]), &is_there, now).is_ok(),
                    Deed::Gives(by, to) => wheels.give(RUN, &names[*by], &names[*to], now).is_ok(),
                    Deed::Keeps(who) => wheels.keep(RUN, &names[*who]).is_ok(),
                };
                prop_assert!(done || wheels == before, "{deed:?} was refused and did something");
                if let (Some(old), Some(new)) = (before.all().get(&RUN), wheels.all().get(&RUN))
                    && old.driver != new.driver
                    && is_there(&old.driver)
                {
                    let waited = old.asked.as_ref().is_some_and(|asked| now.since_ms(asked.at) >= WHEEL_ANSWER_MS);
                    let is_commander = matches!(deed, Deed::Takes(2));
                    let is_given = matches!(&deed, Deed::Gives(by, _) if names[*by] == old.driver);
                    prop_assert!(waited || is_commander || is_given, "{deed:?} took it from {old:?}");
                }
                // Of those who are there at most one acts without taking the wheel, and somebody can act.
                let may = |name: &str| wheels.clone().act(RUN, &Arc::from(name), &is_there, now).is_ok();
                let acting: Vec<&str> = here.iter().copied().filter(|name| may(name)).collect();
                prop_assert!(here.is_empty() || !acting.is_empty(), "nobody of {here:?} may act: {wheels:?}");
                let driver = wheels.all().get(&RUN).map(|wheel| wheel.driver.to_string());
                if driver.as_deref().is_some_and(is_there) {
                    prop_assert_eq!(acting, vec![driver.as_deref().unwrap()]);
                }
                // An ask is answered within a minute whatever the driver does, as long as the asker stays.
                let mut later = wheels.clone();
                later.pass_time(&|_| true, &is_there, now + WHEEL_ANSWER_MS);
                if let Some(asked) = wheels.all().get(&RUN).and_then(|wheel| wheel.asked.clone()) {
                    prop_assert!(later.all()[&RUN].asked.is_none(), "{wheels:?}");
                    if is_there(&asked.by) {
                        prop_assert_eq!(&later.all()[&RUN].driver, &asked.by);
                    }
                }
            }
        }
    }

    #[test]
    fn who_may_is_told_how() {
        let (ana, bo): (Arc<str>, Arc<str>) = ("ana".into(), "bo".into());
        let mut wheels = Wheels::default();
        let here = |name: &str| name != "gone";
        wheels.begin(RUN, &ana, Timestamp(0));
        let refused = wheels.act(RUN, &bo, &here, Timestamp(1)).unwrap_err().to_string();
        assert_eq!(refused, "ana drives RUN-1 since 00:00:00; ask for the wheel first, and act once you have it");
        let refused = wheels.take(RUN, &person("bo"), &here, Timestamp(1)).unwrap_err().to_string();
        assert!(refused.ends_with("it is yours once it is given, or without an answer after 60 s"), "{refused}");
        assert_eq!(wheels.ask(RUN, &bo, &here, Timestamp(1)).unwrap().text, "asked ana for the wheel of RUN-1");
        assert_eq!(wheels.keep(RUN, &ana).unwrap().text, "keeps the wheel of RUN-1, for which bo asked at 00:00:00");
        wheels.ask(RUN, &bo, &here, Timestamp(2_000)).unwrap();
        assert_eq!(wheels.give(RUN, &ana, &"".into(), Timestamp(3_000)).unwrap().text, "gave the wheel of RUN-1 to bo");
        assert_eq!(wheels.act(RUN, &bo, &here, Timestamp(4_000)), Ok(None));
        let nobody = |name: &str| name == "ana";
        let taken = wheels.act(RUN, &ana, &nobody, Timestamp(5_000)).unwrap().unwrap();
        assert_eq!(taken.text, "took the wheel of RUN-1 from bo");
        wheels.pass_time(&|_| false, &here, Timestamp(6_000));
        assert!(wheels.all().is_empty());
    }
}
