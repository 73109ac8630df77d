//! Scores groups of alerts against what each alert belonged to.

use std::collections::BTreeMap;

/// What a storm was made of.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The incident of each alert; `None` for background noise.
    pub alerts: Vec<Option<String>>,
    /// The root of each incident.
    pub roots: BTreeMap<String, String>,
}

/// What was answered about it.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The group of each alert; `None` where it was set aside.
    pub groups: Vec<Option<String>>,
    /// The root of a group, where one was named.
    pub roots: BTreeMap<String, String>,
    /// How long it took.
    pub wall_ms: Option<f64>,
}

/// The figures of one storm, or their means over several (counts of incidents missed and groups merged as well).
/// `None` where a figure has no meaning: no incident, no noise, no root named.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Lines.
    pub alerts: f64,
    /// Incidents in them.
    pub incidents: f64,
    /// Groups told.
    pub groups: f64,
    /// What nobody has to read any more: 1 - groups / alerts.
    pub reduction: f64,
    /// Adjusted Rand index over the alerts of incidents (Hubert and Arabie, 1985).
    pub ari: Option<f64>,
    /// Normalised mutual information over them, by the mean of both entropies.
    pub nmi: Option<f64>,
    /// Pairs told together that belong together.
    pub pair_precision: Option<f64>,
    /// Pairs that belong together told together.
    pub pair_recall: Option<f64>,
    /// The harmonic mean of both.
    pub pair_f1: Option<f64>,
    /// Incidents without a group that holds half of their alerts and is half theirs.
    pub missed: Option<f64>,
    /// Groups of two alerts or 5 % that one incident is spread over.
    pub split: Option<f64>,
    /// Groups with a fifth or more of each of several incidents.
    pub merged: Option<f64>,
    /// Share of noise in groups that are mostly of incidents.
    pub leak: Option<f64>,
    /// Share of noise that was set aside.
    pub set_aside: Option<f64>,
    /// Share of incidents whose group names the right root.
    pub root: Option<f64>,
    /// Alerts grouped a second.
    pub alerts_per_s: Option<f64>,
}

type Pick = fn(&mut Figures) -> &mut Option<f64>;

/// The mean of every figure over the storms where it has a meaning.
#[must_use]
pub fn mean(storms: &[Figures]) -> Figures {
    let mean = |figures: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = figures.fold((0.0, 0.0), |(sum, count), figure| (sum + figure, count + 1.0));
        (count > 0.0).then(|| sum / count)
    };
    let plain = |pick: fn(&Figures) -> f64| mean(&mut storms.iter().map(pick)).unwrap_or_default();
    let mut means = Figures {
        alerts: plain(|one| one.alerts),
        incidents: plain(|one| one.incidents),
        groups: plain(|one| one.groups),
        reduction: plain(|one| one.reduction),
        ..Figures::default()
    };
    let picks: [Pick; 12] = [
        |one| &mut one.ari,
        |one| &mut one.nmi,
        |one| &mut one.pair_precision,
        |one| &mut one.pair_recall,
        |one| &mut one.pair_f1,
        |one| &mut one.missed,
        |one| &mut one.split,
        |one| &mut one.merged,
        |one| &mut one.leak,
        |one| &mut one.set_aside,
        |one| &mut one.root,
        |one| &mut one.alerts_per_s,
    ];
    for pick in picks {
        let figure = mean(&mut storms.iter().filter_map(|one| *pick(&mut one.clone())));
        *pick(&mut means) = figure;
    }
    means
}

type Counts = BTreeMap<usize, usize>;

fn pairs(count: usize) -> f64 {
    let count = count as f64;
    count * (count - 1.0) / 2.0
}

/// Numbers for labels in order of first use.
fn numbered<T: Ord>(labels: impl Iterator<Item = T>) -> Vec<usize> {
    let mut known: BTreeMap<T, usize> = BTreeMap::new();
    labels
        .map(|label| {
            let next = known.len();
            *known.entry(label).or_insert(next)
        })
        .collect()
}

/// The figures of `answer`.
#[must_use]
pub fn score(truth: &Truth, answer: &Answer) -> Figures {
    let count = truth.alerts.len();
    let group = |at: usize| answer.groups.get(at).and_then(Option::as_deref);
    let mut named: Vec<&str> = (0..count).filter_map(group).collect();
    named.sort_unstable();
    named.dedup();
    let mut figures = Figures {
        alerts: count as f64,
        incidents: truth.roots.len() as f64,
        groups: named.len() as f64,
        ..Figures::default()
    };
    figures.reduction = if count == 0 { 0.0 } else { 1.0 - named.len() as f64 / count as f64 };
    let members: Vec<usize> = (0..count).filter(|at| truth.alerts[*at].is_some()).collect();
    if !members.is_empty() {
        let real = numbered(members.iter().map(|at| truth.alerts[*at].as_deref()));
        let all = numbered((0..count).map(|at| group(at).ok_or(at)));
        let told: Vec<usize> = members.iter().map(|at| all[*at]).collect();
        clusters(&real, &told, &mut figures);
        incidents(truth, answer, &members, &real, &told, &mut figures);
    }
    if members.len() < count {
        noise(truth, &group, &mut figures);
    }
    figures.alerts_per_s = answer.wall_ms.map(|ms| count as f64 / (ms / 1e3).max(1e-9));
    figures
}

fn clusters(real: &[usize], told: &[usize], figures: &mut Figures) {
    if real.len() < 2 {
        for figure in [
            &mut figures.ari,
            &mut figures.nmi,
            &mut figures.pair_precision,
            &mut figures.pair_recall,
            &mut figures.pair_f1,
        ] {
            *figure = Some(1.0);
        }
        return;
    }
    let (mut a, mut b) = (Counts::new(), Counts::new());
    let mut both: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (r, t) in real.iter().zip(told) {
        *a.entry(*r).or_default() += 1;
        *b.entry(*t).or_default() += 1;
        *both.entry((*r, *t)).or_default() += 1;
    }
    let same: f64 = both.values().map(|n| pairs(*n)).sum();
    let (of_real, of_told): (f64, f64) = (a.values().map(|n| pairs(*n)).sum(), b.values().map(|n| pairs(*n)).sum());
    let precision = if of_told > 0.0 { same / of_told } else { 1.0 };
    let recall = if of_real > 0.0 { same / of_real } else { 1.0 };
    let expected = of_real * of_told / pairs(real.len());
    let span = (of_real + of_told) / 2.0 - expected;
    figures.ari = Some(if span.abs() < 1e-12 { 1.0 } else { (same - expected) / span });
    figures.pair_precision = Some(precision);
    figures.pair_recall = Some(recall);
    figures.pair_f1 =
        Some(if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 });
    let total = real.len() as f64;
    let entropy = |counts: &mut dyn Iterator<Item = usize>| -> f64 {
        counts.map(|n| n as f64 / total).map(|p| -p * p.ln()).sum()
    };
    let (ha, hb, hab) =
        (entropy(&mut a.values().copied()), entropy(&mut b.values().copied()), entropy(&mut both.values().copied()));
    let mean = (ha + hb) / 2.0;
    figures.nmi = Some(if mean < 1e-12 { 1.0 } else { ((ha + hb - hab) / mean).max(0.0) });
}

fn incidents(truth: &Truth, answer: &Answer, members: &[usize], real: &[usize], told: &[usize], figures: &mut Figures) {
    let mut size: BTreeMap<usize, usize> = BTreeMap::new();
    let mut whole: BTreeMap<usize, usize> = BTreeMap::new();
    let mut shares: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut sample: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for ((r, t), at) in real.iter().zip(told).zip(members) {
        *size.entry(*r).or_default() += 1;
        *whole.entry(*t).or_default() += 1;
        *shares.entry(*r).or_default().entry(*t).or_default() += 1;
        sample.entry((*r, *t)).or_insert(*at);
    }
    let (mut missed, mut split, mut right) = (0, 0.0, 0.0);
    for (r, groups) in &shares {
        // Of equals the one that comes first in the storm.
        let Some((main, own)) = groups.iter().max_by_key(|(t, n)| (**n, std::cmp::Reverse(**t))) else { continue };
        let at = sample[&(*r, *main)];
        let shown = answer.groups.get(at).and_then(Option::as_deref);
        if (*own as f64) < 0.5 * size[r] as f64 || (*own as f64) < 0.5 * whole[main] as f64 || shown.is_none() {
            missed += 1;
        }
        let sizeable = groups.values().filter(|n| **n as f64 >= (0.05 * size[r] as f64).max(2.0)).count();
        split += sizeable.max(1) as f64;
        let incident = truth.alerts[at].as_deref().unwrap_or_default();
        let named = shown.and_then(|group| answer.roots.get(group));
        right += f64::from(u8::from(named.is_some() && named == truth.roots.get(incident)));
    }
    let count = shares.len() as f64;
    figures.missed = Some(f64::from(missed));
    figures.split = Some(split / count);
    figures.root = (!answer.roots.is_empty()).then_some(right / count);
    let mut by_group: BTreeMap<usize, usize> = BTreeMap::new();
    for (r, groups) in &shares {
        for (t, n) in groups {
            *by_group.entry(*t).or_default() += usize::from(*n as f64 >= 0.2 * size[r] as f64);
        }
    }
    figures.merged = Some(by_group.values().filter(|n| **n > 1).count() as f64);
}

fn noise<'a>(truth: &Truth, group: &dyn Fn(usize) -> Option<&'a str>, figures: &mut Figures) {
    let mut majority: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, incident) in truth.alerts.iter().enumerate() {
        if let Some(group) = group(at) {
            let tally = majority.entry(group).or_default();
            tally.0 += usize::from(incident.is_some());
            tally.1 += 1;
        }
    }
    let noise: Vec<usize> = (0..truth.alerts.len()).filter(|at| truth.alerts[*at].is_none()).collect();
    let is_mostly = |group: &str| majority.get(group).is_some_and(|(of_incidents, all)| 2 * of_incidents > *all);
    let leaked = noise.iter().filter(|at| group(**at).is_some_and(is_mostly)).count();
    let aside = noise.iter().filter(|at| group(**at).is_none()).count();
    figures.leak = Some(leaked as f64 / noise.len() as f64);
    figures.set_aside = Some(aside as f64 / noise.len() as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(alerts: &str) -> Truth {
        let one = |letter: char| (letter != '.').then(|| letter.to_string());
        let alerts: Vec<Option<String>> = alerts.chars().map(one).collect();
        let roots = alerts.iter().flatten().map(|id| (id.clone(), format!("root-{id}"))).collect();
        Truth { alerts, roots }
    }

    fn answer(groups: &str) -> Answer {
        Answer { groups: truth(groups).alerts, ..Answer::default() }
    }

    #[test]
    fn figures_of_small_storms_worked_out_by_hand() {
        for (real, told, ari, f1, missed, merged) in [
            ("aaabbb", "xxxyyy", 1.0, 1.0, 0.0, 0.0),
            ("aaabbb", "xxxxxx", 0.0, 4.0 / 7.0, 0.0, 1.0),
            ("aaabbb", "......", 0.0, 0.0, 2.0, 0.0),
            // Of 15 pairs 6 belong together, 7 are told so, 4 of them rightly.
            ("aaabbb", "xxxxyy", (4.0 - 2.8) / (6.5 - 2.8), 8.0 / 13.0, 0.0, 1.0),
            ("aaaa..", "xxxxx.", 1.0, 1.0, 0.0, 0.0),
        ] {
            let figures = score(&truth(real), &answer(told));
            let near =
                |figure: Option<f64>, expected: f64| figure.is_some_and(|figure| (figure - expected).abs() < 1e-9);
            assert!(near(figures.ari, ari), "{real} {told}: ARI {:?}", figures.ari);
            assert!(near(figures.pair_f1, f1), "{real} {told}: F1 {:?}", figures.pair_f1);
            assert_eq!((figures.missed, figures.merged), (Some(missed), Some(merged)), "{real} {told}");
        }
    }

    #[test]
    fn noise_leaks_only_into_what_is_mostly_an_incident() {
        let figures = score(&truth("aaa...."), &answer("xxxx.yy"));
        assert_eq!((figures.leak, figures.set_aside), (Some(0.25), Some(0.25)));
        let none = score(&truth("...."), &answer("xx.."));
        assert_eq!((none.ari, none.leak, none.set_aside), (None, Some(0.0), Some(0.5)));
    }

    #[test]
    fn a_root_counts_where_the_group_of_most_alerts_names_it() {
        let mut told = answer("xxyzz.");
        told.roots = [("x", "root-a"), ("z", "root-a")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(score(&truth("aaabbb"), &told).root, Some(0.5));
        assert_eq!(score(&truth("aaabbb"), &answer("xxyzz.")).root, None);
    }

    #[test]
    fn means_leave_out_what_has_no_meaning() {
        let storms = [score(&truth("aabb"), &answer("xxyy")), score(&truth("...."), &answer("...."))];
        let means = mean(&storms);
        assert_eq!((means.ari, means.alerts, means.set_aside), (Some(1.0), 4.0, Some(1.0)));
        assert_eq!(mean(&[]).ari, None);
    }
}
