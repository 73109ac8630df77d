//! A model's text, sentence by sentence, with the facts that each cites, and what it proposes apart from that.

use crate::engine::ingest::normalize::sanitize;

/// A sentence as the model wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Without its citations and marks of layout; one line that no terminal obeys.
    pub text: String,
    /// Numbers of the facts that it cites, each once.
    pub cited: Vec<usize>,
}

/// A text taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// What it says.
    pub sentences: Vec<Sentence>,
    /// What it proposes to do, a step each.
    pub steps: Vec<Sentence>,
}

/// Longest line.
const LINE_BYTES_MAX: usize = 4_096;
/// Lines of a reply.
const LINES_MAX: usize = 400;
/// Words that end with a full stop and no sentence.
const ABBREVIATIONS: [&str; 9] = ["e.g", "i.e", "vs", "etc", "approx", "ca", "no", "cf", "resp"];
/// The line after which steps are proposed.
pub(in crate::engine::ask::assistant) const PROPOSAL: &str = "PROPOSAL";

/// Takes a text apart.
pub(super) fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut is_proposal = false;
    for line in text.lines().take(LINES_MAX) {
        let line = without_layout(&sanitize(line, LINE_BYTES_MAX));
        if line.trim_end_matches(':').eq_ignore_ascii_case(PROPOSAL) {
            is_proposal = true;
        } else if is_proposal && line.chars().any(char::is_alphanumeric) {
            parts.steps.push(cited(&line));
        } else {
            split(&line, &mut parts.sentences);
        }
    }
    parts
}

/// The line without bullets, headings, emphasis and code marks.
fn without_layout(line: &str) -> String {
    let line = line.trim().trim_start_matches(['#', '>', '|']).trim_start();
    let bullet = ["- ", "* ", "• ", "+ "].iter().find_map(|bullet| line.strip_prefix(bullet)).unwrap_or(line);
    let digits = bullet.len() - bullet.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let numbered = bullet.get(digits..).and_then(|rest| rest.strip_prefix(". ").or(rest.strip_prefix(") ")));
    let line = if (1..=2).contains(&digits) { numbered.unwrap_or(bullet) } else { bullet };
    line.replace("**", "").replace("__", "").replace('`', "").trim().to_owned()
}

fn split(line: &str, into: &mut Vec<Sentence>) {
    let mut from = 0;
    let ends: Vec<usize> = line.char_indices().filter(|(at, c)| is_end(line, *at, *c)).map(|(at, _)| at + 1).collect();
    for end in ends.into_iter().chain([line.len()]) {
        if end < from {
            continue;
        }
        // Citations right behind the full stop belong to what is before it.
        let end = end + citations_at(&line[end..]);
        push(&line[from..end], into);
        from = end;
    }
}

fn push(text: &str, into: &mut Vec<Sentence>) {
    let sentence = cited(text);
    if sentence.text.chars().any(char::is_alphanumeric) {
        into.push(sentence);
    } else if let Some(last) = into.last_mut() {
        // A citation that stands alone is of the sentence before.
        last.cited.extend(sentence.cited.into_iter().filter(|number| *number > 0));
        last.cited.dedup();
    }
}

fn is_end(line: &str, at: usize, c: char) -> bool {
    let rest = &line[at + c.len_utf8()..];
    let is_followed = rest.is_empty() || rest.starts_with([' ', '[', '"', '”', ')']);
    match c {
        '!' | '?' => is_followed,
        '.' if is_followed => {
            let word = line[..at].rsplit([' ', '(']).next().unwrap_or_default().to_lowercase();
            !ABBREVIATIONS.contains(&word.as_str())
        }
        _ => false,
    }
}

/// How many bytes of citations, and a full stop behind them, a text begins with.
fn citations_at(text: &str) -> usize {
    let mut taken = 0;
    loop {
        let rest = &text[taken..];
        let blank = rest.len() - rest.trim_start().len();
        match group(&rest[blank..]) {
            Some((_, length)) => taken += blank + length,
            None if taken > 0 && rest.starts_with('.') => return taken + 1,
            None => return taken,
        }
    }
}

/// The citations in a sentence, and its text without them.
fn cited(text: &str) -> Sentence {
    let mut sentence = Sentence::default();
    let mut rest = text;
    while let Some(at) = rest.find(['[', '(']) {
        sentence.text.push_str(&rest[..at]);
        match group(&rest[at..]) {
            Some((numbers, length)) => {
                // The blank before it goes with it.
                sentence.text.truncate(sentence.text.trim_end().len());
                sentence.cited.extend(numbers);
                rest = &rest[at + length..];
            }
            None => {
                sentence.text.push_str(&rest[at..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    sentence.text.push_str(rest);
    sentence.text = sentence.text.trim().to_owned();
    // One full stop stood before its citations and one behind them.
    if sentence.text.ends_with("..") && !sentence.text.ends_with("...") {
        sentence.text.pop();
    }
    sentence.cited.sort_unstable();
    sentence.cited.dedup();
    sentence
}

/// The numbers of a group of citations that `text` begins with, and its length: `[f3]`, `[f1, f2]`, `(f4)`, `[f1-f3]`.
fn group(text: &str) -> Option<(Vec<usize>, usize)> {
    let close = match text.chars().next()? {
        '[' => ']',
        '(' => ')',
        _ => return None,
    };
    let end = text.find(close)?;
    let mut numbers = Vec::new();
    for part in text.get(1..end)?.split([',', ';', ' ']).filter(|part| !part.is_empty()) {
        let number = |part: &str| part.strip_prefix(['f', 'F'])?.parse::<usize>().ok();
        match part.split_once(['-', '–']) {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                // A range of more than this is no citation but a wave of the hand.
                if last < first || last - first > 8 {
                    return None;
                }
                numbers.extend(first..=last);
            }
            None => numbers.push(number(part)?),
        }
    }
    (!numbers.is_empty()).then_some((numbers, end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> Vec<(String, Vec<usize>)> {
        parts(text).sentences.into_iter().map(|sentence| (sentence.text, sentence.cited)).collect()
    }

    #[test]
    fn sentences_keep_their_citations_wherever_these_stand() {
        let text = "## Cause\n\n- **payment** is at 4.2 s [f3], usual is 0.3 s (f4). It began at 14:02:11. [f1, f2][f7]. So there!\n1. e.g. `web-1` ok [f1-f3]\n[f9]";
        let expected = [
            ("Cause", vec![]),
            ("payment is at 4.2 s, usual is 0.3 s.", vec![3, 4]),
            ("It began at 14:02:11.", vec![1, 2, 7]),
            ("So there!", vec![]),
            ("e.g. web-1 ok", vec![1, 2, 3, 9]),
        ];
        let said = said(text);
        let found: Vec<(&str, Vec<usize>)> =
            said.iter().map(|(text, cited)| (text.trim_end_matches(" ."), cited.clone())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn steps_stand_apart_and_nothing_in_a_text_reaches_a_terminal() {
        let parts = parts("It is so.\n**Proposal:**\n- roll `payment` back [f1]\n2) watch\u{1b}[2J it\n---\n");
        assert_eq!(parts.sentences.len(), 1);
        let steps: Vec<&str> = parts.steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0], "roll payment back");
        assert!(!steps[1].contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "([a-zé .!?\\[\\](),;0-9f\n#*`|-]|[f1]){0,120}") {
            let parts = parts(&text);
            prop_assert!(parts.sentences.iter().all(|sentence| !sentence.text.is_empty()));
        }
    }
}
