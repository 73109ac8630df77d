//! Log templates against labelled lines: GA and FGA over groups (Zhu et al., ICSE-SEIP 2019; Jiang et al., ISSTA 2024), PA and
//! FTA over texts.
//!
//! Texts are compared word by word; a word with a part that varies counts as one that varies, and runs of those as one.

use std::collections::BTreeMap;

/// A labelled line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label<I> {
    /// Which line.
    pub id: I,
    /// The event it is an instance of.
    pub event: String,
    /// Its text, `<*>` where it varies.
    pub template: String,
}

/// What was found for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<I> {
    /// Which line.
    pub id: I,
    /// Its group.
    pub group: u64,
    /// Its text.
    pub template: String,
}

/// How good an answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LogFigures {
    /// Labelled lines.
    pub line_count: usize,
    /// Labelled events.
    pub event_count: usize,
    /// Groups found.
    pub group_count: usize,
    /// Share of lines in groups that are exactly right.
    pub ga: f64,
    /// F1 over groups.
    pub fga: f64,
    /// Share of lines with the right text.
    pub pa: f64,
    /// F1 over groups that are right and have the right text.
    pub fta: f64,
}

/// One group of an answer.
#[derive(Default)]
struct Group<'a> {
    event: Option<&'a str>,
    line_count: usize,
    is_mixed: bool,
    is_well_told: bool,
}

/// Holds an answer against the labels. Lines without a label, and second answers to a line, count for nothing.
#[must_use]
pub fn figures<I: Ord>(labels: &[Label<I>], answers: &[Answer<I>]) -> LogFigures {
    let truth: BTreeMap<&I, (&str, String)> =
        labels.iter().map(|label| (&label.id, (label.event.as_str(), folded(&label.template)))).collect();
    let mut events: BTreeMap<&str, usize> = BTreeMap::new();
    labels.iter().for_each(|label| *events.entry(&label.event).or_default() += 1);
    let mut groups: BTreeMap<u64, Group<'_>> = BTreeMap::new();
    let mut answered: BTreeMap<&I, ()> = BTreeMap::new();
    let mut told_count = 0;
    for answer in answers {
        let Some((event, text)) = truth.get(&answer.id) else { continue };
        if answered.insert(&answer.id, ()).is_some() {
            continue;
        }
        let is_well_told = folded(&answer.template) == *text;
        told_count += usize::from(is_well_told);
        let group = groups.entry(answer.group).or_insert_with(|| Group { is_well_told: true, ..Group::default() });
        group.line_count += 1;
        group.is_mixed |= group.event.replace(event).is_some_and(|earlier| earlier != *event);
        group.is_well_told &= is_well_told;
    }
    let is_right = |group: &&Group<'_>| {
        !group.is_mixed && group.event.and_then(|event| events.get(event)) == Some(&group.line_count)
    };
    let right: Vec<&Group<'_>> = groups.values().filter(is_right).collect();
    let well_told = right.iter().filter(|group| group.is_well_told).count();
    let f1 = |count: usize| 2.0 * count as f64 / (groups.len().max(1) + events.len().max(1)) as f64;
    let line_count = truth.len();
    let share = |count: usize| count as f64 / line_count.max(1) as f64;
    LogFigures {
        line_count,
        event_count: events.len(),
        group_count: groups.len(),
        ga: share(right.iter().map(|group| group.line_count).sum()),
        fga: f1(right.len()),
        pa: share(told_count),
        fta: f1(well_told),
    }
}

impl LogFigures {
    /// The mean over systems; counts are added up.
    #[must_use]
    pub fn mean(all: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len().max(1) as f64;
        Self {
            line_count: all.iter().map(|one| one.line_count).sum(),
            event_count: all.iter().map(|one| one.event_count).sum(),
            group_count: all.iter().map(|one| one.group_count).sum(),
            ga: mean(|one| one.ga),
            fga: mean(|one| one.fga),
            pa: mean(|one| one.pa),
            fta: mean(|one| one.fta),
        }
    }
}

/// A text with every word that varies in part as one that varies, and runs of those, also with marks between, as one.
fn folded(template: &str) -> String {
    const VARIES: &str = "<*>";
    let is_mark = |word: &&str| word.bytes().all(|byte| b",.:;_-/=".contains(&byte));
    let words = template.split_whitespace().map(|word| if word.contains(VARIES) { VARIES } else { word });
    let mut kept: Vec<&str> = Vec::new();
    for word in words {
        if word == VARIES {
            let marks = kept.iter().rev().take_while(|word| is_mark(word)).count();
            let run = kept.len() - marks;
            if run > 0 && kept.get(run - 1) == Some(&VARIES) {
                kept.truncate(run);
                continue;
            }
        }
        kept.push(word);
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_vary_are_folded() {
        for (text, expected) in [
            ("a  <*>:<*> b", "a <*> b"),
            ("x=<*>, y=<*> z", "<*> z"),
            ("<*> - <*> , <*> end", "<*> end"),
            ("- <*> -", "- <*> -"),
            ("a <*> and <*>", "a <*> and <*>"),
            ("", ""),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn a_group_is_right_when_it_holds_an_event_whole_and_nothing_else() {
        let label = |id, event: &str, template: &str| Label { id, event: event.into(), template: template.into() };
        let answer = |id, group, template: &str| Answer { id, group, template: template.into() };
        let labels = [label(1, "E1", "a <*>"), label(2, "E1", "a <*>"), label(3, "E2", "b"), label(4, "E3", "c")];
        let perfect = [answer(1, 7, "a <*>"), answer(2, 7, "a <*>"), answer(3, 8, "b"), answer(4, 9, "c")];
        let found = figures(&labels, &perfect);
        assert_eq!((found.ga, found.fga, found.pa, found.fta), (1.0, 1.0, 1.0, 1.0));
        let mixed =
            [answer(1, 7, "a <*>"), answer(2, 7, "a x"), answer(3, 8, "<*>"), answer(4, 8, "c"), answer(9, 1, "")];
        let found = figures(&labels, &mixed);
        assert_eq!((found.ga, found.pa), (0.5, 0.5));
        // One of two groups, one of three events; its text is right on one line only.
        assert!((found.fga - 0.4).abs() < 1e-12 && found.fta == 0.0, "{found:?}");
        assert_eq!(figures::<u64>(&[], &[]), LogFigures::default());
    }
}
