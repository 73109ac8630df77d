//! What a change is worth as a cause by its content alone: whether it can do anything at all, what its words share with
//! what is complained of, and whether what it does is known to bring that. In natural-log odds.

use std::collections::{BTreeMap, BTreeSet};

use super::deeds;
use super::diff::Diff;
use super::files::{self, FileKind};
use super::traits::{self, Complaint, Deed};
use super::words::{self, Bag};

/// What a word of the title tells against one that goes or comes in the diff: people name what they mean to do.
const TITLE_WORD: f64 = 0.4;
/// What a word of a path tells.
const FILE_WORD: f64 = 0.3;
/// What a word of a service's name tells: it stands in every complaint about it.
const SERVICE_WORD: f64 = 0.3;
/// Share of what goes that comes back from which code is moved rather than changed.
const KEPT_FROM: f64 = 0.5;

/// A change by its content.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Paths of its files.
    pub files: Vec<String>,
    /// Its diff; empty where that is not known.
    pub diff: Diff,
    /// Its words.
    pub bag: Bag,
    /// True where a diff is known.
    pub is_known: bool,
}

impl Content {
    /// Reads a change: its title, the paths of its files, its diff as text.
    #[must_use]
    pub fn read(title: &str, files: &[String], diff: &str) -> Self {
        let is_known = !diff.trim().is_empty();
        let diff = Diff::read(diff);
        let mut bag = diff.bag();
        bag.add(title, TITLE_WORD);
        files.iter().for_each(|file| bag.add(file, FILE_WORD));
        Self { files: files.to_vec(), diff, bag, is_known }
    }
}

/// All that is complained of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    bag: Bag,
    text: String,
    runs: BTreeSet<String>,
    kinds: Vec<Complaint>,
}

impl Said {
    /// Takes in a text, with what its words tell, up to 1.
    pub fn add(&mut self, text: &str, weight: f64) {
        self.bag.add(text, weight);
        self.text.push_str(&text.to_lowercase());
        self.text.push('\n');
    }

    /// Takes in a line as it was written: its phrases count as well.
    pub fn add_line(&mut self, line: &str) {
        self.add(line, 1.0);
        self.runs.extend(runs_of(line));
    }

    /// Takes in words that tell little and are no complaint by themselves, such as the names of failing operations.
    pub fn add_names(&mut self, text: &str, weight: f64) {
        self.bag.add(text, weight);
    }

    /// To be called when all is said; `services` are the names that stand in every complaint about them.
    pub fn settle<'a>(&mut self, services: impl Iterator<Item = &'a str>) {
        let named: BTreeSet<String> = services
            .flat_map(|name| words::telling(name).into_iter().chain([words::stem(&name.to_lowercase())]))
            .collect();
        for word in named {
            if let Some(weight) = self.bag.0.get_mut(&word) {
                *weight *= SERVICE_WORD;
            }
        }
        self.kinds = traits::complaints(&self.text);
    }
}

/// What speaks for and against a change by its content.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Worth {
    /// In natural-log odds, with a line each.
    pub reasons: Vec<(String, f64)>,
}

impl Worth {
    fn add(&mut self, weight: f64, text: String) {
        if weight != 0.0 && weight.is_finite() {
            self.reasons.push((text, weight));
        }
    }
}

/// Weighs a change's content against what is said; `rarity` is that of words among all changes, `levels` are metrics
/// that went from one level to another, with a line each.
#[must_use]
pub fn worth(content: &Content, said: &Said, rarity: &BTreeMap<String, f64>, levels: &[(f64, f64, &str)]) -> Worth {
    let mut found = Worth::default();
    let shared = shared(content, said, rarity, &mut found);
    let fit = fit(content, said, &mut found);
    exact(&content.diff, said, levels, &mut found);
    if content.is_known && shared < 0.5 && fit.is_none() {
        found.add(-1.0, "nothing in it touches what is complained of".to_owned());
    }
    power(content, fit.unwrap_or(0.0), &mut found);
    found
}

fn shared(content: &Content, said: &Said, rarity: &BTreeMap<String, f64>, found: &mut Worth) -> f64 {
    let weigh = |(word, weight): (&String, &f64)| {
        (weight * said.bag.weight(word) * rarity.get(word).copied().unwrap_or(0.0), word.clone())
    };
    let mut shared: Vec<(f64, String)> = content.bag.0.iter().map(weigh).filter(|(weight, _)| *weight > 0.0).collect();
    shared.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let sum: f64 = shared.iter().map(|(weight, _)| weight).sum();
    let told: Vec<&str> = shared.iter().take(4).map(|(_, word)| word.as_str()).collect();
    // One rare word in common is worth some 2 nats, and no number of words more than 3.
    found.add(3.0 * (1.0 - (-sum / 4.0).exp()), format!("it and the complaint share: {}", told.join(", ")));
    sum
}

fn fit(content: &Content, said: &Said, found: &mut Worth) -> Option<f64> {
    let deeds = deeds::deeds(&content.diff);
    let kinds: Vec<Deed> = deeds.iter().map(|(deed, _)| *deed).collect();
    let (known, deed, complaint) = traits::fit(&kinds, &said.kinds)?;
    let by: String =
        deeds.iter().find(|(one, _)| *one == deed).map_or("", |(_, by)| by.as_str()).chars().take(100).collect();
    found.add(2.0 * known, format!("{} ({by}) is known to bring {}", deed.words(), complaint.words()));
    Some(known)
}

/// Numbers and phrases that stand in the diff and in what is said as they are.
fn exact(diff: &Diff, said: &Said, levels: &[(f64, f64, &str)], found: &mut Worth) {
    let is = |a: f64, b: f64| (a - b).abs() <= 0.02 * b.abs().max(1e-9);
    let level = diff.quantities.iter().find_map(|quantity| {
        let moved = levels.iter().find(|(before, now, _)| is(*before, quantity.before) && is(*now, quantity.after));
        moved.map(|(_, _, what)| (quantity, *what))
    });
    let number = diff
        .quantities
        .iter()
        .find(|quantity| quantity.written.1.len() >= 2 && has_number(&said.text, &quantity.written.1));
    if let Some((quantity, what)) = level {
        found.add(2.5, format!("{} to {} is what is measured: {what}", quantity.written.0, quantity.written.1));
    } else if let Some(quantity) = number {
        found.add(1.5, format!("the new {} of \"{}\" stands in the complaint", quantity.written.1, quantity.line));
    }
    let lines = diff.added.iter().chain(&diff.removed).filter(|line| !line.is_report);
    if let Some(run) = lines.flat_map(|line| runs_of(&line.text)).find(|run| said.runs.contains(run)) {
        found.add(1.0, format!("\"{run}\" stands in it and in the complaint"));
    }
}

/// Whether it can do anything at all.
fn power(content: &Content, fit: f64, found: &mut Worth) {
    match files::most_active(&content.files) {
        Some(FileKind::Idle) => found.add(-6.0, "it changes nothing that runs".to_owned()),
        Some(FileKind::Style) => found.add(-3.0, "it changes how a page looks".to_owned()),
        Some(FileKind::Dependencies) => found.add(-0.8, "it changes versions of what is built in".to_owned()),
        Some(FileKind::Settings | FileKind::Code) | None => {}
    }
    let diff = &content.diff;
    if !content.is_known {
        return;
    }
    if diff.is_cosmetic() {
        found.add(-5.0, "its diff changes nothing but comments, blanks or order".to_owned());
    } else if diff.removed.iter().chain(&diff.added).all(|line| line.is_report) {
        found.add(-1.5, "it changes only what is told of it".to_owned());
    } else if diff.quantities.is_empty() {
        let kept = diff.kept_share();
        if kept > KEPT_FROM {
            let percent = (kept * 100.0).round();
            // Moved code with something new among it, or that does what is known to bring this, is more than moved.
            let is_more = diff.brings_new() || fit >= 0.8;
            let weight = if is_more { -0.5 } else { -3.0 * (1.0 - 0.5 * diff.new_share()) };
            let share = ((kept - KEPT_FROM) / (1.0 - KEPT_FROM)).powi(2);
            found.add(weight * share, format!("{percent} % of what it takes out it puts in again elsewhere"));
        }
    }
}

/// Four words in a row, as they are written.
fn runs_of(text: &str) -> Vec<String> {
    let words = words::parts(text);
    words.windows(4).filter(|run| run.iter().any(|word| word.len() > 3)).map(|run| run.join(" ")).collect()
}

/// True where a number stands by itself in a text.
fn has_number(text: &str, number: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || ".-:".contains(c));
    text.match_indices(number).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + number.len()..).and_then(|tail| tail.chars().next()).filter(|c| *c != '.');
        !is_part(before) && !is_part(after)
    })
}
