//! How urgent a patch is for a class of assets: by the worst of what it would mend.

use std::cmp::Reverse;

use serde::Serialize;

use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::patches::directive::{self, Answer, Questions, Term};
use crate::engine::patches::knowledge::{Knowledge, Score};
use crate::engine::patches::matching::fleet::Component;
use crate::engine::patches::matching::{Basis, Finding};
use crate::engine::patches::risk::{self, Exposure, Risk, RiskBand};
use crate::engine::settings::{DeadlineRule, RiskSettings};

/// What of an asset counts for urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Class {
    /// The internet reaches it.
    pub is_internet_facing: bool,
    /// It serves production.
    pub is_production: bool,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self { is_internet_facing: false, is_production: false },
        Self { is_internet_facing: false, is_production: true },
        Self { is_internet_facing: true, is_production: false },
        Self { is_internet_facing: true, is_production: true },
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.is_internet_facing) * 2 + usize::from(self.is_production)
    }
}

/// What the feeds know of a vulnerability that affects a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Threat {
    /// Its score; `None` is unknown.
    pub score: Option<Score>,
    /// It is known to be exploited.
    pub is_known_exploited: bool,
    /// Used by ransomware.
    pub is_ransomware: bool,
    /// How likely it is to be exploited; `None` is unknown.
    pub epss: Option<f32>,
    /// A live incident is about it.
    pub is_incident_cause: bool,
    /// What mends it is younger than the settings' days.
    pub is_fresh: bool,
}

/// The order of standings: the smaller, the more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// A live incident is about what it mends.
    is_incident_cause: Reverse<bool>,
    band: u8,
    is_known_exploited: Reverse<bool>,
    is_internet_facing: Reverse<bool>,
    /// In millionths; what nobody estimated stands behind what somebody did.
    epss: Reverse<Option<u32>>,
}

/// How urgent a patch is for a class of assets.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Number of the component that is to be patched.
    pub component: u32,
    /// For which class.
    pub class: Class,
    /// Which of what affects it is the worst, by its place.
    pub worst: usize,
    /// Its risk; `None` where there is no score.
    pub risk: Option<Risk>,
    /// Its place in the order.
    pub order: Order,
    /// The terms by CISA BOD 26-04, the strictest and the mildest that what is known allows.
    pub directive: (Term, Term),
    /// For each that affects it: time from its first match to its deadline.
    pub within_ms: Vec<Option<i64>>,
}

/// What is known of all that affects a component.
#[must_use]
pub fn threats(
    component: &Component<'_>,
    knowledge: &Knowledge,
    settings: &RiskSettings,
    now: Timestamp,
) -> Vec<Threat> {
    component.affected.iter().map(|finding| threat(finding, knowledge, settings, now)).collect()
}

/// What is known of one that affects a component.
#[must_use]
pub fn threat(finding: &Finding<'_>, knowledge: &Knowledge, settings: &RiskSettings, now: Timestamp) -> Threat {
    let facts = knowledge.facts(finding.id);
    let (urgency, fix_seen_at) = match finding.basis {
        Basis::Debian(verdict) => (verdict.urgency.as_str(), verdict.fix_seen_at),
        Basis::Osv(..) => ("", None),
    };
    let fresh_ms = i64::from(settings.fresh_days) * DAY_MS;
    Threat {
        score: facts.score(urgency),
        is_known_exploited: facts.kev.is_some(),
        is_ransomware: facts.kev.is_some_and(|entry| entry.is_ransomware),
        epss: facts.epss.map(|estimate| estimate.probability),
        is_incident_cause: facts.incident.is_some(),
        is_fresh: fix_seen_at.is_some_and(|at| now.since_ms(at) < fresh_ms),
    }
}

/// How urgent it is to mend these; `None` where there is nothing to mend.
#[must_use]
pub fn standing(component: u32, threats: &[Threat], class: Class, settings: &RiskSettings) -> Option<Standing> {
    let risks: Vec<Option<Risk>> = threats.iter().map(|threat| risk_of(threat, class, settings)).collect();
    let orders = threats.iter().zip(&risks).map(|(threat, risk)| order(threat, risk.as_ref(), class, settings));
    let by_score = |risk: &Option<Risk>| risk.as_ref().map_or(0, |risk| (risk.score * 1e8) as u64);
    let ranked = orders.zip(&risks).enumerate().min_by_key(|(_, (order, risk))| (*order, Reverse(by_score(risk))));
    let (worst, (order, _)) = ranked?;
    // It goes to the front, whatever is the worst of it.
    let is_incident_cause = Reverse(threats.iter().any(|threat| threat.is_incident_cause));
    let order = Order { is_incident_cause, ..order };
    let within_ms =
        threats.iter().zip(&risks).map(|(threat, risk)| within(threat, risk.as_ref(), class, settings)).collect();
    let directive = terms(threats.get(worst)?, class);
    let risk = risks.into_iter().nth(worst).flatten();
    Some(Standing { component, class, worst, risk, order, directive, within_ms })
}

fn risk_of(threat: &Threat, class: Class, settings: &RiskSettings) -> Option<Risk> {
    let exposure = Exposure {
        cvss: threat.score.as_ref()?.cvss,
        is_known_exploited: threat.is_known_exploited,
        is_internet_facing: class.is_internet_facing,
        is_production: class.is_production,
        is_fresh: threat.is_fresh,
    };
    Some(risk::assess(&exposure, settings))
}

fn order(threat: &Threat, risk: Option<&Risk>, class: Class, settings: &RiskSettings) -> Order {
    let band = match (settings.deadlines, risk.map(|risk| risk.band)) {
        (DeadlineRule::Directive, _) => terms(threat, class).0 as u8,
        (_, Some(RiskBand::Critical)) => 0,
        (_, None) if threat.is_known_exploited => 0,
        (_, Some(RiskBand::High)) => 1,
        (_, None) => 2,
        (_, Some(RiskBand::Medium)) => 3,
        (_, Some(RiskBand::Low)) => 4,
    };
    Order {
        is_incident_cause: Reverse(threat.is_incident_cause),
        band,
        is_known_exploited: Reverse(threat.is_known_exploited),
        is_internet_facing: Reverse(class.is_internet_facing),
        // A probability, so it fits.
        epss: Reverse(threat.epss.map(|epss| (epss * 1e6) as u32)),
    }
}

/// By the band, or the strictest term of the directive where the settings want that; by the latter, too, where there is no score
/// for what is known to be exploited.
fn within(threat: &Threat, risk: Option<&Risk>, class: Class, settings: &RiskSettings) -> Option<i64> {
    match risk {
        _ if settings.deadlines == DeadlineRule::Directive => {
            terms(threat, class).0.days().map(|days| i64::from(days) * DAY_MS)
        }
        Some(risk) => risk.band.within_ms(settings),
        None if threat.is_known_exploited => terms(threat, class).0.days().map(|days| i64::from(days) * DAY_MS),
        None => None,
    }
}

fn terms(threat: &Threat, class: Class) -> (Term, Term) {
    let answer = |is_yes| if is_yes { Answer::Yes } else { Answer::No };
    directive::terms(&Questions {
        in_kev: answer(threat.is_known_exploited),
        publicly_exposed: answer(class.is_internet_facing),
        automatable: Answer::Unknown,
        total_impact: Answer::Unknown,
    })
}
