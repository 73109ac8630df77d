//! Runbooks that speak of what a question says: BM25F over what their pages say of themselves (S. Robertson, H. Zaragoza and
//! M. Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004).
//!
//! Words are compared by their stems, those of one meaning stand for one another, and one that no page has is taken for the
//! nearest that some page has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rust_stemmers::{Algorithm, Stemmer};

use super::lexicon;
use super::spelling::Speller;
use crate::engine::model::RunbookPage;

/// How soon a word that comes again adds nothing any more.
const SATURATION: f32 = 1.2;
/// How much a long page counts against what it says.
const LENGTH_SHARE: f32 = 0.5;
/// What a word of the same meaning is worth beside the word itself.
const OF_ONE_MEANING: f32 = 0.4;
/// What a word is worth that was taken for a slip of another.
const MENDED: f32 = 0.7;
/// Words of a question that are read.
const WORDS_MAX: usize = 40;
/// The share of a question that a page must speak of, by how rare its words are and how much the page says of them; else it is
/// about something else.
const COVERED_MIN: f32 = 0.2;
/// What a word counts in that share that no page has.
const UNKNOWN: f32 = 0.6;
/// Letters from which on a word may be a slip of another.
const MENDED_FROM: usize = 6;
/// And reach this share of the likest page's score.
const NEAR_BEST: f32 = 0.45;

/// How a sentence begins that says what a page is not for.
const NOT_FOR: &[&str] = &["Not when", "Not while", "Not without", "Do not", "Stop when", "Stop if", "Never "];

/// Words that say that a runbook is looked for, not which.
const OF_LOOKING: &[&str] = &[
    "runbook",
    "runbooks",
    "playbook",
    "playbooks",
    "procedure",
    "procedures",
    "page",
    "pages",
    "guide",
    "doc",
    "docs",
    "documentation",
    "documented",
    "sop",
    "checklist",
    "instructions",
    "steps",
    "step",
    "handle",
    "handling",
    "deal",
    "fix",
    "mitigate",
    "resolve",
    "remedy",
    "follow",
    "drill",
    "search",
    "list",
    "show",
    "exist",
    "exists",
    "fits",
    "fit",
    "recommended",
    "suggest",
    "suggested",
    "proposed",
    "incident",
    "incidents",
    "problem",
    "issue",
    "issues",
    "case",
    "next",
    "help",
    "todo",
    "recommend",
    "best",
    "action",
    "actions",
    "proceed",
    "response",
    "respond",
    "approach",
    "situation",
    "current",
    "currently",
    "options",
    "option",
    "plan",
    "advice",
    "advise",
    "begin",
    "first",
    "priority",
    "responder",
    "oncall",
    "on-call",
    "operator",
    "troubleshoot",
    "troubleshooting",
    "debug",
    "recover",
    "recovery",
    "repair",
];

/// A page that speaks of what was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<'p> {
    /// The page.
    pub page: &'p RunbookPage,
    /// How well it fits; only to be compared with other hits of the same search.
    pub score: f32,
    /// Which words of the question it speaks of, in the order in which they were asked.
    pub words: Vec<Arc<str>>,
}

/// The fields of a page, each with what a word in it weighs. Set by judgement, and not fitted to anything.
const WEIGHTS: [f32; 6] = [3.0, 3.0, 1.5, 3.0, 1.0, 0.5];

/// The words of each field.
fn fields(page: &RunbookPage) -> [String; 6] {
    let joined = |texts: &[Arc<str>]| texts.join(" ");
    let name = format!("{} {}", page.id, page.title);
    let what = format!("{} {}", joined(&page.symptoms), joined(&page.problems));
    // What a page is not for has the very words of what it is not for.
    let sentences = page.introduction.split("\n\n").flat_map(|part| part.split(". "));
    let for_it = sentences.filter(|sentence| !NOT_FOR.iter().any(|begin| sentence.trim_start().starts_with(begin)));
    let introduction = for_it.collect::<Vec<_>>().join(" ");
    [name, joined(&page.alerts), what, introduction, joined(&page.steps), page.text.to_string()]
}

/// Pages that can be searched.
pub struct PageIndex<'p> {
    pages: &'p [RunbookPage],
    /// By stem: the pages that have it, and how much, by their places.
    postings: BTreeMap<String, Vec<(usize, f32)>>,
    stemmer: Stemmer,
    /// Stems that belong together.
    meanings: Vec<BTreeSet<String>>,
}

impl<'p> PageIndex<'p> {
    /// An index of these pages.
    #[must_use]
    pub fn of(pages: &'p [RunbookPage]) -> Self {
        let stemmer = Stemmer::create(Algorithm::English);
        let counted: Vec<[BTreeMap<String, f32>; 6]> = pages
            .iter()
            .map(|page| {
                fields(page).map(|text| {
                    let mut counts = BTreeMap::new();
                    for word in words(&text) {
                        *counts.entry(stem(&stemmer, &word)).or_insert(0.0) += 1.0;
                    }
                    counts
                })
            })
            .collect();
        let mut postings: BTreeMap<String, Vec<(usize, f32)>> = BTreeMap::new();
        let length = |of: &BTreeMap<String, f32>| of.values().sum::<f32>();
        let usual: Vec<f32> = (0..WEIGHTS.len())
            .map(|field| {
                let sum: f32 = counted.iter().filter_map(|fields| fields.get(field)).map(length).sum();
                (sum / pages.len().max(1) as f32).max(1.0)
            })
            .collect();
        for (place, fields) in counted.iter().enumerate() {
            for ((counts, weight), usual) in fields.iter().zip(WEIGHTS).zip(&usual) {
                let longer = 1.0 - LENGTH_SHARE + LENGTH_SHARE * length(counts) / usual;
                for (stem, count) in counts {
                    let list = postings.entry(stem.clone()).or_default();
                    let much = weight * count / longer;
                    match list.last_mut().filter(|(last, _)| *last == place) {
                        Some((_, sum)) => *sum += much,
                        None => list.push((place, much)),
                    }
                }
            }
        }
        let meanings = lexicon::one_meaning().map(|line| line.map(|word| stem(&stemmer, word)).collect()).collect();
        Self { pages, postings, stemmer, meanings }
    }

    /// The pages that speak of these words of a question, the likest first; none where they speak of too little of it.
    #[must_use]
    pub fn search(&self, asked: &[Arc<str>]) -> Vec<Hit<'p>> {
        let mut speller = None;
        let mut found: BTreeMap<usize, (f32, Vec<Arc<str>>)> = BTreeMap::new();
        let mut whole = 0.0;
        let parts =
            |word: &Arc<str>| word.split(|c: char| !c.is_alphanumeric()).map(Arc::from).collect::<Vec<Arc<str>>>();
        let mut seen = BTreeSet::new();
        let parts = asked.iter().flat_map(parts).filter(|word| says_what(word) && seen.insert(Arc::clone(word)));
        for word in parts.take(WORDS_MAX) {
            let alternatives = self.alternatives(&word, &mut speller);
            let known = alternatives.iter().filter_map(|(stem, _)| self.postings.get(stem));
            let rarity = known.map(|list| self.rarity(list.len())).max_by(f32::total_cmp);
            // A word that no page has may be what it is all about, or no more than talk.
            let rarity = rarity.unwrap_or_else(|| UNKNOWN * self.rarity(0));
            whole += rarity;
            let mut best: BTreeMap<usize, f32> = BTreeMap::new();
            for (stem, worth) in &alternatives {
                let Some(list) = self.postings.get(stem) else { continue };
                let rarity = self.rarity(list.len());
                for (place, much) in list {
                    let score = worth * rarity * much / (SATURATION + much);
                    let best = best.entry(*place).or_insert(0.0);
                    *best = best.max(score);
                }
            }
            for (place, score) in best {
                let (sum, words) = found.entry(place).or_default();
                *sum += score;
                words.push(Arc::clone(&word));
            }
        }
        let of = |(place, (score, words)): (usize, (f32, Vec<Arc<str>>))| {
            Some(Hit { page: self.pages.get(place).filter(|_| score >= COVERED_MIN * whole)?, score, words })
        };
        let mut hits: Vec<Hit<'p>> = found.into_iter().filter_map(of).collect();
        hits.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.page.id.cmp(&other.page.id)));
        let best = hits.first().map_or(0.0, |hit| hit.score);
        hits.retain(|hit| hit.score >= NEAR_BEST * best);
        hits
    }

    /// What may stand on a page for a word, each with what it is worth.
    fn alternatives(&self, word: &str, speller: &mut Option<Speller>) -> Vec<(String, f32)> {
        let parts: Vec<String> = words(word).map(|part| stem(&self.stemmer, &part)).collect();
        let mut all: Vec<(String, f32)> = Vec::new();
        for part in parts {
            let alike = self.meanings.iter().filter(|group| group.contains(&part)).flatten();
            all.extend(alike.filter(|other| **other != part).map(|other| (other.clone(), OF_ONE_MEANING)));
            all.push((part, 1.0));
        }
        if all.iter().any(|(stem, _)| self.postings.contains_key(stem)) {
            return all;
        }
        let speller = speller.get_or_insert_with(|| Speller::of(self.postings.keys().map(String::as_str)));
        let is_long = |(stem, _): &&(String, f32)| stem.chars().count() >= MENDED_FROM;
        let near = all.iter().filter(is_long).filter_map(|(stem, _)| speller.nearest(stem, true));
        let near = near.filter(|(_, edits)| *edits == 1);
        let near: Vec<(String, f32)> = near.map(|(meant, _)| (meant.to_owned(), MENDED)).collect();
        all.extend(near);
        all
    }

    /// How much a word says that so many pages have.
    fn rarity(&self, count: usize) -> f32 {
        let (all, with) = (self.pages.len() as f32, count as f32);
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }
}

/// True for a word of a question that says what it is about.
#[must_use]
pub fn says_what(word: &str) -> bool {
    let word = word.to_lowercase();
    word.chars().count() > 1
        && word.chars().any(char::is_alphanumeric)
        && !OF_LOOKING.contains(&word.as_str())
        && !lexicon::is_common(&word)
}

/// The words of a text in lower case, also those that are written together: `KubePodCrashLooping`, `error_ratio`.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .flat_map(|run| {
            let whole = run.to_lowercase();
            let parts: Vec<String> = of_camel_case(run).map(str::to_lowercase).collect();
            let is_one = parts.len() < 2;
            std::iter::once(whole).chain(parts.into_iter().filter(move |_| !is_one))
        })
        .filter(|word| word.chars().count() > 1 && !lexicon::is_common(word))
}

/// `KubePodCrash` as `Kube`, `Pod` and `Crash`.
fn of_camel_case(run: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![0];
    let mut before = ' ';
    for (at, c) in run.char_indices() {
        if c.is_uppercase() && before.is_lowercase() {
            starts.push(at);
        }
        before = c;
    }
    let ends: Vec<usize> = starts.iter().copied().skip(1).chain([run.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |(from, to)| run.get(from..to))
}

fn stem(stemmer: &Stemmer, word: &str) -> String {
    stemmer.stem(word).into_owned()
}
