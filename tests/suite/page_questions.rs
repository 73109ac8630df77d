//! Runbooks that are looked for in an operator's words, by those who know which page is right.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::NaiveDate;
use hypocenter::engine::ask::page_search::{Hit, PageIndex};
use hypocenter::engine::ask::reading::Reader;
use hypocenter::engine::runbooks::Library;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    text: String,
    /// Pages of which one must come first; none where no page is about it.
    right: BTreeSet<String>,
}

/// Shares of questions from 0 to 1: a right page first, one among the first three, silence where no page is right.
struct Score {
    first: f64,
    of_three: f64,
    silent: f64,
}

fn score(file: &str, is_shown: bool) -> Score {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/questions").join(file);
    let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let pages = Library::shipped().told();
    let index = PageIndex::of(&pages);
    let reader = Reader::new([]);
    let (mut first, mut of_three, mut silent, mut uncovered) = (0, 0, 0, 0);
    for question in &file.question {
        let reading = reader.read(&question.text, None, NaiveDate::from_ymd_opt(2026, 11, 20).unwrap());
        let found = index.search(&reading.words);
        let is_right = |hit: &Hit<'_>| question.right.contains(hit.page.id.as_ref());
        if question.right.is_empty() {
            uncovered += 1;
            silent += usize::from(found.is_empty());
        }
        first += usize::from(found.first().is_some_and(is_right));
        of_three += usize::from(found.iter().take(3).any(is_right));
        let is_well = if question.right.is_empty() { found.is_empty() } else { found.first().is_some_and(is_right) };
        if is_shown && !is_well {
            let told: Vec<String> =
                found.iter().take(4).map(|hit| format!("{} {:.1} {:?}", hit.page.id, hit.score, hit.words)).collect();
            println!("{:?}\n    right {:?}\n    found {told:?}", question.text, question.right);
        }
    }
    let covered = (file.question.len() - uncovered) as f64;
    let score = Score {
        first: first as f64 / covered,
        of_three: of_three as f64 / covered,
        silent: silent as f64 / uncovered as f64,
    };
    println!("first {:.3}, of three {:.3}, silent {:.3}", score.first, score.of_three, score.silent);
    score
}

#[test]
fn the_half_that_words_of_one_meaning_were_listed_by() {
    let score = score("pages-seen.toml", true);
    assert!(score.first >= 0.9 && score.of_three >= 0.95 && score.silent >= 0.6);
}

#[test]
fn the_half_that_nobody_read() {
    let score = score("pages-unseen.toml", false);
    assert!(score.first >= 0.5 && score.of_three >= 0.5);
}
