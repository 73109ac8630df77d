//! The names that are known here, and how they are found among words: exactly, in parts, shortened, or with a slip.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::spelling::{Speller, shape};

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A service.
    Service,
    /// A machine.
    Host,
    /// A region.
    Region,
    /// A runbook.
    Runbook,
    /// An alert's rule.
    Alert,
    /// A package.
    Package,
    /// A ring of a rollout.
    Ring,
    /// A team or a person.
    Owner,
    /// A change that has a name of its own.
    Change,
    /// A version that runs or ran.
    Version,
    /// An incident.
    Incident,
    /// A vulnerability or advisory.
    Advisory,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 12] = [
        Self::Service,
        Self::Host,
        Self::Region,
        Self::Runbook,
        Self::Alert,
        Self::Package,
        Self::Ring,
        Self::Owner,
        Self::Change,
        Self::Version,
        Self::Incident,
        Self::Advisory,
    ];

    /// The kind of this name, as files call it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "service" => Self::Service,
            "host" => Self::Host,
            "region" => Self::Region,
            "runbook" => Self::Runbook,
            "alert" => Self::Alert,
            "package" => Self::Package,
            "ring" => Self::Ring,
            "owner" => Self::Owner,
            "change" => Self::Change,
            "version" => Self::Version,
            _ => return None,
        })
    }
}

/// A known name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// What it is of.
    pub kind: Kind,
    /// As it is written where it belongs.
    pub text: Arc<str>,
}

/// Longest name in words.
pub const WORDS_MAX: usize = 4;

/// Shortest abbreviation that is taken for a name.
const SHORT_CHARS_MIN: usize = 4;

/// The names.
#[derive(Debug, Clone, Default)]
pub struct NameBook {
    /// By key, the names of one in order.
    by_key: BTreeMap<Arc<str>, Vec<Name>>,
    /// Keys of names that may be meant where something is written a little wrong.
    speller: Speller,
    /// Those of versions, incidents and advisories, which are never guessed.
    certain: Speller,
    /// The keys of the first by their first and last letter, for abbreviations.
    by_ends: BTreeMap<(char, char), BTreeSet<Arc<str>>>,
}

/// A name without case and separators, those between two digits aside: web-1-1 is not web-11.
#[must_use]
pub fn key(text: &str) -> String {
    let mut key = String::new();
    let mut is_apart = false;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            is_apart = true;
            continue;
        }
        if is_apart && c.is_ascii_digit() && key.ends_with(|last: char| last.is_ascii_digit()) {
            key.push('-');
        }
        is_apart = false;
        key.extend(c.to_lowercase());
    }
    key
}

/// A name as it is written, without case and with one separator for all.
#[must_use]
pub fn written(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// The one name of a kind; `None` where there is none or several.
#[must_use]
pub fn only(names: &[Name], kind: Kind) -> Option<&Name> {
    let mut of_kind = names.iter().filter(|name| name.kind == kind);
    of_kind.next().filter(|_| of_kind.next().is_none())
}

/// What a word that is no name may have been meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guessed<'b> {
    /// The names of one key, and how many edits away it is.
    One(Vec<&'b Name>, usize),
    /// Several that are equally near.
    Several(Vec<&'b Name>),
}

/// The first and the last letter.
fn ends(key: &str) -> Option<(char, char)> {
    Some((key.chars().next()?, key.chars().next_back()?))
}

/// True where `short` is `key` with letters left out, though no more than half of them.
fn shortens(short: &str, key: &str) -> bool {
    let mut rest = key.chars();
    let (kept, all) = (short.chars().count(), key.chars().count());
    kept < all && 2 * kept >= all && shape(short) == shape(key) && short.chars().all(|c| rest.any(|other| other == c))
}

impl NameBook {
    /// A book of these names.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = Name>) -> Self {
        let mut book = Self::default();
        for name in names {
            book.add(name);
        }
        book
    }

    /// Takes a name in; nothing where it is known.
    pub fn add(&mut self, name: Name) {
        let key: Arc<str> = Arc::from(key(&name.text));
        if key.is_empty() {
            return;
        }
        let names = self.by_key.entry(Arc::clone(&key)).or_default();
        if let Err(at) = names.binary_search(&name) {
            names.insert(at, name);
            self.sort_in(&key);
        }
    }

    /// Takes a name out; nothing where it is not known.
    pub fn remove(&mut self, name: &Name) {
        let key: Arc<str> = Arc::from(key(&name.text));
        let Some(names) = self.by_key.get_mut(&key) else { return };
        names.retain(|known| known != name);
        if names.is_empty() {
            self.by_key.remove(&key);
        }
        self.sort_in(&key);
    }

    /// Puts a key where its names belong.
    fn sort_in(&mut self, key: &Arc<str>) {
        let is_certain = |name: &Name| matches!(name.kind, Kind::Version | Kind::Incident | Kind::Advisory);
        let (is_there, is_guessed) = match self.by_key.get(key) {
            Some(names) => (true, !names.iter().all(is_certain)),
            None => (false, false),
        };
        let Some(ends) = ends(key) else { return };
        if is_guessed {
            self.speller.add(key);
            self.certain.remove(key);
            self.by_ends.entry(ends).or_default().insert(Arc::clone(key));
            return;
        }
        self.speller.remove(key);
        if let Some(alike) = self.by_ends.get_mut(&ends) {
            alike.remove(key);
        }
        if is_there { self.certain.add(key) } else { self.certain.remove(key) }
    }

    /// The names with exactly this key.
    pub fn exact(&self, key: &str) -> impl Iterator<Item = &Name> {
        self.by_key.get(key).into_iter().flatten()
    }

    /// True where something of this kind has exactly this name.
    #[must_use]
    pub fn has(&self, kind: Kind, text: &str) -> bool {
        self.exact(&key(text)).any(|name| name.kind == kind)
    }

    /// The names that `words`, taken together, mean, and whether letter by letter rather than in another form (a plural, "database"
    /// for "db"); separators and case aside. Of two names of a kind that differ in their separators only, the one that is written
    /// so is meant; where none is, both may be.
    #[must_use]
    pub fn meant(&self, words: &[&str]) -> Option<(Vec<&Name>, bool)> {
        let joined = words.join("-");
        let found = |key: &str| -> Option<Vec<&Name>> {
            let names: Vec<&Name> = self.exact(key).collect();
            (!names.is_empty()).then_some(names)
        };
        if let Some(mut names) = found(&key(&joined)) {
            let as_written = written(&joined);
            let is_written = |name: &&Name| written(&name.text) == as_written;
            let kinds: BTreeSet<Kind> = names.iter().filter(|name| is_written(name)).map(|name| name.kind).collect();
            names.retain(|name| !kinds.contains(&name.kind) || is_written(name));
            return Some((names, true));
        }
        // Who writes the separators means them: "queuee-us" is no plural of queue-eu.
        let has_separators = words.iter().any(|word| word.contains('-'));
        let in_form = |form: &String| {
            let mut names = found(&key(form))?;
            names.retain(|name| !has_separators || written(&name.text) == written(form));
            (!names.is_empty()).then_some(names)
        };
        forms(words).iter().find_map(in_form).map(|names| (names, false))
    }

    /// The names that a single word means shortened or with a slip.
    #[must_use]
    pub fn guessed(&self, word: &str) -> Option<Guessed<'_>> {
        let short = key(word);
        if short.chars().count() < SHORT_CHARS_MIN || short.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let of_keys = |keys: &[&str]| keys.iter().flat_map(|key| self.exact(key)).collect::<Vec<_>>();
        let slip = self.speller.nearest_all(&short).map(|(keys, edits)| (self.with_separators(word, keys), edits));
        match &slip {
            Some((keys, edits)) if *edits <= 1 && keys.len() == 1 => return Some(Guessed::One(of_keys(keys), *edits)),
            Some((keys, edits)) if *edits <= 1 => return Some(Guessed::Several(of_keys(keys))),
            _ => {}
        }
        let alike = ends(&short).and_then(|ends| self.by_ends.get(&ends)).into_iter().flatten();
        let mut longer = alike.filter(|key| shortens(&short, key));
        if let (Some(key), None) = (longer.next(), longer.next()) {
            return Some(Guessed::One(self.exact(key).collect(), 1));
        }
        slip.filter(|(keys, _)| keys.len() == 1).map(|(keys, edits)| Guessed::One(of_keys(&keys), edits))
    }

    /// Of keys that are equally near those whose names are nearest with their separators, too: "indexer-e" is nearer to "indexer-eu"
    /// than to "indexer".
    fn with_separators<'k>(&self, word: &str, keys: Vec<&'k str>) -> Vec<&'k str> {
        let as_written = written(word);
        let edits = |key: &&str| {
            let names = self.exact(key).map(|name| strsim::osa_distance(&as_written, &written(&name.text)));
            names.min().unwrap_or(usize::MAX)
        };
        if keys.len() < 2 || !as_written.contains('-') {
            return keys;
        }
        let least = keys.iter().map(edits).min();
        keys.into_iter().filter(|key| Some(edits(key)) == least).collect()
    }

    /// Known names of a kind that look like `written`, the nearest first, for "did you mean".
    #[must_use]
    pub fn alike(&self, written: &str, kind: Kind, count: usize) -> Vec<Arc<str>> {
        let written = key(written);
        let bound = 1 + written.chars().count() / 3;
        let is_of_kind = |key: &str| self.exact(key).any(|name| name.kind == kind);
        let spellers = [&self.speller, &self.certain];
        let near = spellers.iter().flat_map(|speller| speller.near(&written, bound, count, &is_of_kind));
        let names = |(edits, key)| self.exact(key).filter(|name| name.kind == kind).map(move |name| (edits, name));
        let mut near: Vec<(usize, &Name)> = near.flat_map(names).collect();
        near.sort();
        near.into_iter().take(count).map(|(_, name)| Arc::clone(&name.text)).collect()
    }
}

/// Other ways to write the same name: without a plural, with "db" for "database", without "service" after it.
fn forms(words: &[&str]) -> Vec<String> {
    let singular = |word: &str| {
        word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with('-')).unwrap_or(word).to_owned()
    };
    let short = |word: &str| match word {
        "database" | "databases" | "postgres" => "db".to_owned(),
        other => other.to_owned(),
    };
    let plural = |word: &str| if word.ends_with('s') { word.to_owned() } else { format!("{word}s") };
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let joined = |form: &dyn Fn(&str) -> String, last: String| {
        let words: Vec<String> = before.iter().map(|word| form(word)).chain([last]).collect();
        words.join("-")
    };
    let mut forms = vec![joined(&str::to_owned, singular(last)), joined(&str::to_owned, plural(last))];
    if words.len() > 1 {
        for form in [&str::to_owned as &dyn Fn(&str) -> String, &singular, &plural] {
            forms.push(joined(form, short(last)));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn book() -> NameBook {
        let service = |text: &str| Name { kind: Kind::Service, text: text.into() };
        let names =
            ["checkout", "payment", "payments-db", "auth", "auth-db", "orders-db", "test-61", "test-611", "inventory"];
        NameBook::of(names.map(service))
    }

    fn meant(book: &NameBook, words: &str) -> Option<String> {
        let words: Vec<&str> = words.split(' ').collect();
        let (names, _) = book.meant(&words).or_else(|| {
            let [word] = words.as_slice() else { return None };
            match book.guessed(word)? {
                Guessed::One(names, _) => Some((names, false)),
                Guessed::Several(_) => None,
            }
        })?;
        names.first().map(|name| name.text.to_string())
    }

    #[test]
    fn names_are_found_as_people_write_them() {
        let book = book();
        for (words, expected) in [
            ("auth-db", Some("auth-db")),
            ("auth db", Some("auth-db")),
            ("auth database", Some("auth-db")),
            ("order database", Some("orders-db")),
            ("payment db", Some("payments-db")),
            ("payments", Some("payment")),
            ("chkout", Some("checkout")),
            ("chekcout", Some("checkout")),
            ("pymnt", Some("payment")),
            ("invntory", Some("inventory")),
            ("test-61", Some("test-61")),
            ("test-6111", None),
            ("banana", None),
            ("db", None),
        ] {
            assert_eq!(meant(&book, words).as_deref(), expected, "{words}");
        }
        let two = NameBook::of(
            ["web-1-1", "web-11", "a-bc", "ab-c"].map(|text| Name { kind: Kind::Service, text: text.into() }),
        );
        for (words, expected) in
            [("web-1-1", 1), ("web-11", 1), ("web 1-1", 1), ("web 11", 1), ("a-bc", 1), ("a bc", 1), ("abc", 2)]
        {
            let words: Vec<&str> = words.split(' ').collect();
            let (names, _) = two.meant(&words).unwrap();
            assert_eq!(names.len(), expected, "{words:?}");
            assert!(expected > 1 || written(&names[0].text) == written(&words.join("-")), "{words:?}");
        }
        let mut other = NameBook::of(["orders-db", "auth"].map(|text| Name { kind: Kind::Service, text: text.into() }));
        let version = Name { kind: Kind::Version, text: "auth".into() };
        other.add(version.clone());
        other.remove(&Name { kind: Kind::Service, text: "auth".into() });
        assert_eq!(other.guessed("auht"), None, "a version is never guessed");
        assert!(other.has(Kind::Version, "auth") && !other.has(Kind::Service, "auth"));
        other.remove(&version);
        assert!(!other.has(Kind::Version, "auth") && other.alike("auth", Kind::Version, 3).is_empty());
        assert_eq!(meant(&other, "ordrs-db").as_deref(), Some("orders-db"));
        assert_eq!(book.alike("paymint", Kind::Service, 2).first().map(AsRef::as_ref), Some("payment"));
    }

    proptest! {
        #[test]
        fn separators_count_between_digits_and_nowhere_else(parts in prop::collection::vec("[a-z]{1,4}|[0-9]{1,3}", 1..5)) {
            let with = |separator: &str| key(&parts.join(separator));
            prop_assert_eq!(with("-"), with("_"));
            prop_assert_eq!(with("-"), with(". "));
            let has_digits_side_by_side = parts.windows(2).any(|pair| {
                pair.iter().all(|part| part.starts_with(|c: char| c.is_ascii_digit()))
            });
            prop_assert_eq!(with("-") != with(""), has_digits_side_by_side);
        }
    }
}
