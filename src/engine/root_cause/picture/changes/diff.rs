//! A diff as text to what it does: lines that go, lines that come, quantities that change, and whether it only moves
//! things about.

use std::collections::BTreeMap;

use super::words::{self, Bag};

/// One changed line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Without its sign.
    pub text: String,
    /// True where it only tells of something: a log line, a message, an answer for the caller.
    pub is_report: bool,
}

/// A quantity that was changed in a line that otherwise stayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The words of the line.
    pub words: Vec<String>,
    /// The number before and after, times its unit.
    pub before: f64,
    /// See `before`.
    pub after: f64,
    /// The numbers as they are written: before and after.
    pub written: (String, String),
    /// The line as it now is.
    pub line: String,
}

/// What a diff does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// Lines that go, without comments and blanks.
    pub removed: Vec<Line>,
    /// Lines that come.
    pub added: Vec<Line>,
    /// Lines around them and the headings.
    pub around: Vec<String>,
    /// Quantities that changed.
    pub quantities: Vec<Quantity>,
    /// Lines that differ in more than comments, blanks and order, on either side.
    pub size: usize,
}

/// Beginnings of comments in the usual languages.
const COMMENTS: [&str; 9] = ["//", "#", "/*", "*/", "* ", "--", "<!--", "\"\"\"", ";;"];
/// Words of calls that tell of something and do nothing else.
const REPORTS: [&str; 23] = [
    "log.",
    "logger",
    "logging.",
    "slog.",
    "log_",
    "console.",
    "print",
    "fmt.errorf",
    "errors.new",
    "http.error",
    "writeerror",
    ".status(",
    "w.header(",
    "errmsg",
    "error_message",
    "setstatus",
    "span.set",
    "metrics.",
    "prometheus.",
    "counter",
    "throw new",
    "raise ",
    "panic!(",
];

impl Diff {
    /// Reads a diff in any of the usual forms: unified, or `@@` headings with signed lines.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut diff = Self::default();
        for line in text.lines() {
            if line.starts_with("+++")
                || line.starts_with("---")
                || line.starts_with("@@")
                || line.starts_with("diff ")
                || line.starts_with("index ")
            {
                diff.around.push(line.to_owned());
                continue;
            }
            let (side, rest) = match line.as_bytes().first() {
                Some(b'-') => (&mut diff.removed, line.get(1..)),
                Some(b'+') => (&mut diff.added, line.get(1..)),
                _ => {
                    diff.around.push(line.to_owned());
                    continue;
                }
            };
            let text = rest.unwrap_or("").trim();
            if !text.is_empty() && !is_comment(text) {
                side.push(Line { is_report: is_report(text), text: without_comment(text).to_owned() });
            }
        }
        diff.quantities = quantities(&diff.removed, &diff.added);
        diff.size = diff.difference();
        diff
    }

    /// True where nothing that runs is changed.
    #[must_use]
    pub fn is_cosmetic(&self) -> bool {
        self.size == 0
    }

    /// Lines that are on one side only, whatever their order and blanks.
    fn difference(&self) -> usize {
        let mut counts = BTreeMap::<String, i64>::new();
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        self.added.iter().for_each(|line| *counts.entry(squeezed(&line.text)).or_default() += 1);
        self.removed.iter().for_each(|line| *counts.entry(squeezed(&line.text)).or_default() -= 1);
        counts.values().map(|count| count.unsigned_abs() as usize).sum()
    }

    /// Words of one side that the other has not (or has fewer of): what really goes, or comes. Reports are left out.
    #[must_use]
    pub fn net(&self) -> (Vec<String>, Vec<String>) {
        let mut counts = BTreeMap::<String, i64>::new();
        let told = |lines: &[Line]| -> Vec<String> {
            lines.iter().filter(|line| !line.is_report).flat_map(|line| words::telling(&line.text)).collect()
        };
        told(&self.added).into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        told(&self.removed).into_iter().for_each(|word| *counts.entry(word).or_default() -= 1);
        let of =
            |sign: i64| counts.iter().filter(|(_, count)| **count * sign > 0).map(|(word, _)| word.clone()).collect();
        (of(-1), of(1))
    }

    /// How much of what goes comes back elsewhere, 0 to 1: 1 for code that is only moved or wrapped. A quantity or a
    /// text that changes, or an operation that is dropped, counts against it.
    #[must_use]
    pub fn kept_share(&self) -> f64 {
        if self.removed.is_empty() {
            return 0.0;
        }
        let mut have = BTreeMap::<String, i64>::new();
        let tokens = |lines: &[Line]| -> Vec<String> {
            lines.iter().filter(|line| !line.is_report).flat_map(|line| tokens(&line.text)).collect()
        };
        tokens(&self.added).into_iter().for_each(|token| *have.entry(token).or_default() += 1);
        let gone: Vec<String> = tokens(&self.removed);
        if gone.is_empty() {
            return 1.0;
        }
        let (mut kept, mut all) = (0.0, 0.0);
        for token in gone {
            // A literal that goes changes what is done; a name may just be another name.
            let weight = if is_literal(&token) { 3.0 } else { 1.0 };
            all += weight;
            if let Some(left) = have.get_mut(&token).filter(|left| **left > 0) {
                *left -= 1;
                kept += weight;
            }
        }
        kept / all
    }

    /// Share of the words that come which were not among those that go, 0 to 1.
    #[must_use]
    pub fn new_share(&self) -> f64 {
        let all = |lines: &[Line]| -> Vec<String> {
            lines.iter().filter(|line| !line.is_report).flat_map(|line| tokens(&line.text)).collect()
        };
        let gone: std::collections::BTreeSet<String> = all(&self.removed).into_iter().collect();
        let come = all(&self.added);
        if come.is_empty() {
            0.0
        } else {
            come.iter().filter(|token| !gone.contains(*token)).count() as f64 / come.len() as f64
        }
    }

    /// True where something is added that was not there: a number, a text, or a call of something else.
    #[must_use]
    pub fn brings_new(&self) -> bool {
        let all = |lines: &[Line]| -> std::collections::BTreeSet<String> {
            lines.iter().filter(|line| !line.is_report).flat_map(|line| tokens(&line.text)).collect()
        };
        let (gone, come) = (all(&self.removed), all(&self.added));
        let is_new_literal = come.iter().any(|token| is_literal(token) && token.len() > 1 && !gone.contains(token));
        let asks = |lines: &[Line]| {
            lines.iter().filter(|line| !line.is_report && super::deeds::is_outer_call(&line.text)).count()
        };
        is_new_literal || asks(&self.added) > asks(&self.removed)
    }

    /// All words with how much they tell: what really goes or comes 1, other changed lines less, the neighbourhood least.
    #[must_use]
    pub fn bag(&self) -> Bag {
        let mut bag = Bag::default();
        let (gone, come) = self.net();
        gone.into_iter().chain(come).for_each(|word| bag.add_word(word, 1.0));
        for line in self.removed.iter().chain(&self.added) {
            bag.add(&line.text, if line.is_report { REPORT_WORD } else { CHANGED_WORD });
        }
        self.around.iter().for_each(|line| bag.add(line, AROUND_WORD));
        bag
    }

    /// True where a line of one side alone holds one of the phrases (lower case); reports are left out.
    #[must_use]
    pub fn has(lines: &[Line], phrases: &[&str]) -> bool {
        lines.iter().filter(|line| !line.is_report).any(|line| {
            let text = line.text.to_lowercase();
            phrases.iter().any(|phrase| text.contains(phrase))
        })
    }
}

/// What a word of a line that changed in something else tells, against one that goes or comes.
const CHANGED_WORD: f64 = 0.4;
/// What a word of a report tells: it is in the complaint because the report says it, not because it causes it.
const REPORT_WORD: f64 = 0.1;
/// What a word of the neighbourhood tells.
const AROUND_WORD: f64 = 0.2;

fn is_comment(text: &str) -> bool {
    COMMENTS.iter().any(|mark| text.starts_with(mark)) && !text.starts_with("#include") && !text.starts_with("#[")
}

fn without_comment(text: &str) -> &str {
    text.split(" // ").next().unwrap_or(text)
}

fn is_report(text: &str) -> bool {
    let text = text.to_lowercase();
    REPORTS.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).and_then(|head| head.chars().next_back());
            // `log.` but not `catalog.`.
            !word.starts_with(char::is_alphabetic) || !before.is_some_and(char::is_alphanumeric)
        })
    })
}

/// Names, numbers and texts of a line, whole.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '\'') {
        rest = rest.get(start..).unwrap_or("");
        let first = rest.chars().next().unwrap_or(' ');
        let end = if first == '"' || first == '\'' {
            rest.char_indices().skip(1).find(|(_, c)| *c == first).map_or(rest.len(), |(at, c)| at + c.len_utf8())
        } else {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end.max(first.len_utf8()));
        if token.len() > 1 || is_literal(token) {
            found.push(token.to_owned());
        }
        rest = after;
    }
    found
}

fn is_literal(token: &str) -> bool {
    token.starts_with(['"', '\'']) || token.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Numbers of a line with their units, and the line's words without them.
fn numbers(text: &str) -> (Vec<(f64, String)>, Vec<String>) {
    let mut found: Vec<(f64, String)> = Vec::new();
    let mut rest_words = Vec::new();
    let parts = words::parts(&text.replace('.', " . ").replace(" . ", "."));
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        at += 1;
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse::<f64>() else {
            rest_words.push(part.clone());
            continue;
        };
        let suffix = part.get(digits.len()..).unwrap_or("");
        // `5 * time.Second`: the unit is one of the next two words.
        let ahead = (0..2).find_map(|step| parts.get(at + step).and_then(|word| unit(word)).map(|scale| (step, scale)));
        let scale = if !suffix.is_empty() {
            unit(suffix).unwrap_or(1.0)
        } else if let Some((step, scale)) = ahead {
            (0..step).for_each(|_| at += 1);
            at += 1;
            scale
        } else {
            1.0
        };
        found.push((number * scale, part.clone()));
    }
    (decimals(text, found), rest_words)
}

/// `0.1` was read as 0 and 1; puts decimals together.
fn decimals(text: &str, found: Vec<(f64, String)>) -> Vec<(f64, String)> {
    if !text.as_bytes().windows(3).any(|w| w[0].is_ascii_digit() && w[1] == b'.' && w[2].is_ascii_digit()) {
        return found;
    }
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let pieces = text.split(|c: char| !is_part(c)).filter(|piece| piece.bytes().any(|byte| byte.is_ascii_digit()));
    pieces
        .filter_map(|piece| {
            piece.trim_matches('.').parse::<f64>().ok().map(|number| (number, piece.trim_matches('.').to_owned()))
        })
        .collect()
}

fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ns" | "nanosecond" | "nanoseconds" => 1e-9,
        "us" | "microsecond" | "microseconds" => 1e-6,
        "ms" | "millisecond" | "milliseconds" | "millis" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "k" | "kb" | "ki" | "kib" => 1024.0,
        "mb" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// Pairs of lines that differ in their numbers.
fn quantities(removed: &[Line], added: &[Line]) -> Vec<Quantity> {
    let mut found = Vec::new();
    let mut is_taken = vec![false; added.len()];
    for line in removed.iter().filter(|line| !line.is_report) {
        let (before, own) = numbers(&line.text);
        if before.is_empty() {
            continue;
        }
        let read = added
            .iter()
            .enumerate()
            .filter(|(at, line)| !is_taken[*at] && !line.is_report)
            .map(|(at, line)| (at, numbers(&line.text)));
        let alike = read
            .filter(|(_, (after, _))| after.len() == before.len())
            .map(|(at, (after, words))| (likeness(&own, &words), at, after));
        let Some((likeness, at, after)) = alike.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else {
            continue;
        };
        if likeness < 0.6 {
            continue;
        }
        is_taken[at] = true;
        for ((was, was_written), (is, is_written)) in before.iter().zip(&after).filter(|(was, is)| was.0 != is.0) {
            found.push(Quantity {
                words: own.clone(),
                before: *was,
                after: *is,
                written: (was_written.clone(), is_written.clone()),
                line: added[at].text.clone(),
            });
        }
    }
    found
}

/// Shared words over all words; 1 for two empty lines.
fn likeness(one: &[String], other: &[String]) -> f64 {
    let (one, other): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
        (one.iter().collect(), other.iter().collect());
    let all = one.union(&other).count();
    if all == 0 { 1.0 } else { one.intersection(&other).count() as f64 / all as f64 }
}
