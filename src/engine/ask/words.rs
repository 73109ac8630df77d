//! From a line of text to words: cleaned, in lower case, abbreviations and contractions written out, quotations set apart.

use super::lexicon;

/// Longest question that is read, in characters; the rest is left out and said to be.
pub const QUESTION_CHARS_MAX: usize = 500;

/// One word of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it is understood: lower case, without punctuation around it.
    pub text: String,
    /// As it was written, for names that case tells apart and for what is said back.
    pub raw: String,
}

/// A question in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The words in order.
    pub words: Vec<Word>,
    /// What stood in quotation marks or backticks, as it was written.
    pub quoted: Vec<String>,
    /// True where the question was longer than what is read.
    pub is_cut: bool,
}

impl Words {
    /// Cleans `text` and takes it apart. What `is_name` knows is no abbreviation.
    #[must_use]
    pub fn of(text: &str, is_name: &dyn Fn(&str) -> bool) -> Self {
        let mut chars = text.chars().filter(|c| !c.is_control() || c.is_whitespace());
        let kept: String = chars.by_ref().take(QUESTION_CHARS_MAX).map(plain).collect();
        let is_cut = chars.next().is_some();
        let (rest, quoted) = without_quotations(&kept);
        let mut words = Vec::new();
        let all: Vec<&str> = rest.split_whitespace().collect();
        for (at, written) in all.iter().enumerate() {
            let next = all.get(at + 1).copied();
            match all.get(at.wrapping_sub(1)).and_then(|before| of_a_time(before, written, next)) {
                Some(text) => words.push(Word { text: text.clone(), raw: text }),
                None => take(written, is_name, &mut words),
            }
        }
        Self { words, quoted, is_cut }
    }

    /// The texts of the words.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| word.text.as_str())
    }
}

/// Typographic marks as their plain ones.
fn plain(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{00b4}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{00ab}' | '\u{00bb}' => '"',
        '\u{2013}' | '\u{2014}' => '-',
        '→' => '>',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// What belongs to a time though it looks like punctuation: "09:00 - 10:00", "10:00 +02:00", "on 12.11. at 10:00".
fn of_a_time(before: &str, written: &str, next: Option<&str>) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_digit();
    let is_clock = before.starts_with(is_digit) && before.contains(':');
    if written == "-" {
        return (is_clock && next.is_some_and(|next| next.starts_with(is_digit))).then(|| "to".to_owned());
    }
    if is_clock && let Some(rest) = written.strip_prefix(['+', '-']) {
        let rest = rest.trim_end_matches(|c: char| !is_digit(c));
        let is_offset = !rest.is_empty() && rest.chars().all(|c| is_digit(c) || c == ':');
        return is_offset.then(|| format!("{}{rest}", written.get(..1).unwrap_or_default()));
    }
    let parts: Vec<&str> = written.trim_end_matches([',', '?', '!']).split('.').collect();
    let [day, month, ""] = parts.as_slice() else { return None };
    let is_date = [day, month].iter().all(|part| (1..=2).contains(&part.len()) && part.chars().all(is_digit));
    let leads = ["on", "since", "from", "until", "till", "before", "after", "the", "and", "between", "to"];
    // At the end of a sentence the last point ends it, unless a word before says that it is a date.
    let is_led = next.is_some() || before != "to";
    (is_date && is_led && leads.contains(&before.to_lowercase().as_str())).then(|| format!("{day}.{month}."))
}

/// Takes what stands between two quotation marks or backticks out. A mark without its partner is left alone.
fn without_quotations(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut quoted) = (String::new(), Vec::new());
    let mut left = text;
    while let Some(at) = left.find(['"', '`']) {
        let (before, from) = left.split_at(at);
        let mark = from.get(..1).unwrap_or_default();
        let inside = from.get(1..).unwrap_or_default();
        let Some(end) = inside.find(mark) else { break };
        rest.push_str(before);
        rest.push(' ');
        let of = inside.get(..end).unwrap_or_default();
        if !of.trim().is_empty() {
            quoted.push(of.to_owned());
        }
        left = inside.get(end + 1..).unwrap_or_default();
    }
    rest.push_str(left);
    (rest, quoted)
}

/// Adds the words that something written between two blanks stands for.
fn take(written: &str, is_name: &dyn Fn(&str) -> bool, into: &mut Vec<Word>) {
    let raw = written.trim_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != '>' && c != '<');
    if raw.is_empty() {
        return;
    }
    let lower = raw.to_lowercase();
    if let Some(expansion) = lexicon::expansion(&lower).filter(|_| !is_name(&lower)) {
        into.extend(expansion.split_whitespace().map(|text| Word { text: text.to_owned(), raw: text.to_owned() }));
        return;
    }
    for (ending, says) in [("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'d", ""), ("'m", "")]
    {
        if let Some(stem) = lower.strip_suffix(ending) {
            let both = format!("{stem}{says}");
            into.extend(both.split(' ').map(|text| Word { text: text.to_owned(), raw: text.to_owned() }));
            return;
        }
    }
    let stem = |text: &str| text.strip_suffix("'s").or_else(|| text.strip_suffix('\'')).unwrap_or(text).to_owned();
    // A range or two things with a slash between them; a path or a date is left whole.
    let is_pair = lower.matches('/').count() == 1
        && lower.split('/').all(|part| part.len() > 2 && part.chars().all(char::is_alphabetic));
    if is_pair {
        for part in raw.split('/') {
            take(part, is_name, into);
        }
        return;
    }
    into.push(Word { text: stem(&lower), raw: stem(raw) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        Words::of(text, &|_| false).texts().map(str::to_owned).collect()
    }

    #[test]
    fn words_are_cleaned_and_written_out() {
        assert_eq!(texts("Why's auth-db DOWN rn??"), ["why", "is", "auth-db", "down", "now"]);
        assert_eq!(texts("isn’t payment's p99, (10:00) ok?"), ["is", "not", "payment", "p99", "10:00", "ok"]);
        assert_eq!(texts("cart/checkout w/o restart"), ["cart", "checkout", "without", "restart"]);
        let quoted = Words::of("find \"connection refused\" in `cart` logs 5\"", &|_| false);
        assert_eq!(quoted.quoted, ["connection refused", "cart"]);
        assert_eq!(quoted.words.last().unwrap().text, "5");
    }

    #[test]
    fn what_is_too_long_is_cut_and_said_to_be() {
        let long = Words::of(&"a ".repeat(600), &|_| false);
        assert!(long.is_cut && long.words.len() == 250);
        assert!(!Words::of("a", &|_| false).is_cut);
    }

    proptest! {
        #[test]
        fn any_text_becomes_words(text in ".{0,600}") {
            let words = Words::of(&text, &|_| false);
            prop_assert!(words.words.iter().all(|word| !word.text.contains(char::is_whitespace)));
        }
    }
}
