//! Online mining of log templates: each line is given the template it is an instance of, and the template's number stays
//! the same while its text becomes more general.
//!
//! The shape is that of Drain (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS
//! 2017): values are masked first, then a tree of fixed depth (service, number of words, first word) leads to a short
//! list of templates, and the most similar of them takes the line. Two things differ. Words do not count alike: plain
//! words carry the event, names and identifiers may vary cheaply. And a line that reads exactly like an earlier one once
//! its values are gone is recognised by a hash alone, which is nearly every line.
//!
//! Pure and deterministic: the same lines in the same order give the same numbers and texts.

mod kept;
mod mask;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub use self::kept::TemplatesError;
use self::mask::{Class, Masked, WILDCARD, class_of, hash_of};
use crate::engine::limits::LOG_TEMPLATES_MAX;
use crate::engine::model::{ServiceName, TemplateId};

/// Lines remembered by their hash; a power of two.
const RECENT_MAX: usize = 1 << 15;
/// A template takes a line while the weight of the words that differ is at most this share of all, in per cent.
const DIFFERENCE_PERCENT_MAX: u32 = 30;
/// Of the templates, this share makes room at once when there are too many: 1/16.
const ROOM_SHARE: usize = 16;
/// Lines from which a template is well used.
const WELL_USED: u64 = 16;

/// What a line was recognised as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mined {
    /// The template's number; it never changes and is never given again.
    pub template: TemplateId,
    /// Its text at present, `<*>` where it varies.
    pub text: Arc<str>,
    /// True for the first line of a template.
    pub is_new: bool,
}

/// One word of a template; `None` in place of its text where it varies.
#[derive(Debug, Clone)]
struct Word {
    text: Option<Box<str>>,
    hash: u64,
    weight: u32,
}

/// One template.
#[derive(Debug, Clone)]
struct Template {
    id: TemplateId,
    service: ServiceName,
    words: Vec<Word>,
    text: Arc<str>,
    /// Lines so far.
    line_count: u64,
    /// Sequence number of its last line.
    last_line: u64,
}

/// Where a template is looked for: service, number of words, first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Leaf {
    service: u64,
    word_count: u32,
    first: u64,
}

/// A line met before: its hash and the place of its template.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    key: u64,
    /// Place plus one; 0 for none.
    place: u32,
}

/// Gives log lines their templates.
#[derive(Debug)]
pub struct TemplateMiner {
    templates: Vec<Template>,
    leaves: FxHashMap<Leaf, Vec<u32>>,
    recent: Vec<Recent>,
    masked: Masked,
    next_id: u64,
    line_count: u64,
    evicted_count: u64,
    templates_max: usize,
}

impl Default for TemplateMiner {
    fn default() -> Self {
        Self::new()
    }
}

impl TemplateMiner {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max(LOG_TEMPLATES_MAX)
    }

    fn with_max(templates_max: usize) -> Self {
        Self {
            templates: Vec::new(),
            leaves: FxHashMap::default(),
            recent: Vec::new(),
            masked: Masked::default(),
            next_id: 1,
            line_count: 0,
            evicted_count: 0,
            templates_max,
        }
    }

    /// How many templates are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.templates.len()
    }

    /// Services of which at least `lines_min` lines were mined.
    #[must_use]
    pub fn well_known(&self, lines_min: u64) -> BTreeSet<ServiceName> {
        let mut lines: BTreeMap<&ServiceName, u64> = BTreeMap::new();
        for template in &self.templates {
            *lines.entry(&template.service).or_default() += template.line_count;
        }
        lines.into_iter().filter(|(_, count)| *count >= lines_min).map(|(service, _)| service.clone()).collect()
    }

    /// Service and text of a template.
    #[must_use]
    pub fn get(&self, id: TemplateId) -> Option<(&ServiceName, &Arc<str>)> {
        // Numbers grow with places.
        let at = self.templates.binary_search_by_key(&id, |template| template.id).ok()?;
        self.templates.get(at).map(|template| (&template.service, &template.text))
    }

    /// True before the first line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Templates that had to make room.
    #[must_use]
    pub fn evicted_count(&self) -> u64 {
        self.evicted_count
    }

    /// Recognises one line of `service`.
    pub fn observe(&mut self, service: &ServiceName, message: &str) -> Mined {
        self.line_count += 1;
        self.masked.read(message);
        let service_hash = hash_of(service.as_str().as_bytes());
        let key = hash_of(self.masked.text.as_bytes()) ^ service_hash.rotate_left(17);
        if let Some(place) = self.recall(key) {
            return self.take(place, false);
        }
        let leaf = self.leaf(service_hash);
        let (place, is_new) = match self.most_similar(leaf) {
            Some(place) => {
                self.generalise(place);
                (place, false)
            }
            None => (self.add(service, leaf), true),
        };
        if self.recent.is_empty() {
            // Half a megabyte that nobody needs who reads no logs.
            self.recent.resize(RECENT_MAX, Recent::default());
        }
        if let Some(slot) = self.recent.get_mut(recent_slot(key)) {
            *slot = Recent { key, place: place + 1 };
        }
        self.take(place, is_new)
    }

    /// The template of a line that read the same.
    fn recall(&self, key: u64) -> Option<u32> {
        let recent = self.recent.get(recent_slot(key))?;
        (recent.key == key).then_some(recent.place)?.checked_sub(1)
    }

    /// Counts a line of the template at `place`.
    fn take(&mut self, place: u32, is_new: bool) -> Mined {
        // Places come from the leaves and from `recent`, which are rebuilt whenever templates move.
        let template = &mut self.templates[place as usize];
        template.line_count += 1;
        template.last_line = self.line_count;
        Mined { template: template.id, text: Arc::clone(&template.text), is_new }
    }

    /// Where the masked line belongs in the tree.
    fn leaf(&self, service: u64) -> Leaf {
        let first = self.masked.tokens.first().filter(|token| token.class == Class::Word).map_or(0, |token| token.hash);
        Leaf { service, word_count: u32::try_from(self.masked.tokens.len()).unwrap_or(u32::MAX), first }
    }

    /// The template of the leaf that differs least from the masked line, where one is near enough; the older one of two.
    fn most_similar(&self, leaf: Leaf) -> Option<u32> {
        let mut best: Option<(u32, u32)> = None;
        for &place in self.leaves.get(&leaf)? {
            let Some(difference) = self.difference(place) else { continue };
            if best.is_none_or(|(least, _)| difference < least) {
                best = Some((difference, place));
            }
        }
        best.map(|(_, place)| place)
    }

    /// Weight of the words that differ, in per mille of all that could; `None` when that is too much.
    fn difference(&self, place: u32) -> Option<u32> {
        let template = self.templates.get(place as usize)?;
        let (mut differing, mut all) = (0, 0);
        for (word, token) in template.words.iter().zip(&self.masked.tokens) {
            if word.text.is_none() {
                continue;
            }
            let weight = word.weight.max(weight_of(token.class));
            all += weight;
            if word.hash != token.hash {
                differing += weight;
            }
        }
        (differing * 100 <= all * DIFFERENCE_PERCENT_MAX).then(|| (differing * 1_000).checked_div(all).unwrap_or(0))
    }

    /// Makes the template at `place` general enough for the masked line.
    fn generalise(&mut self, place: u32) {
        let Some(template) = self.templates.get_mut(place as usize) else { return };
        let mut is_changed = false;
        for (word, token) in template.words.iter_mut().zip(&self.masked.tokens) {
            if word.text.is_some() && word.hash != token.hash {
                word.text = None;
                is_changed = true;
            }
        }
        if is_changed {
            template.text = text_of(&template.words);
        }
    }

    /// Makes a template of the masked line; says where it is.
    fn add(&mut self, service: &ServiceName, leaf: Leaf) -> u32 {
        if self.templates.len() >= self.templates_max {
            self.make_room();
        }
        let words: Vec<Word> = self
            .masked
            .tokens
            .iter()
            .map(|token| Word {
                text: self.masked.text.get(token.range.clone()).map(Box::from),
                hash: token.hash,
                weight: weight_of(token.class),
            })
            .collect();
        let text = text_of(&words);
        // At most `LOG_TEMPLATES_MAX`, far below the range.
        let place = u32::try_from(self.templates.len()).unwrap_or(u32::MAX);
        let id = TemplateId(self.next_id);
        self.next_id += 1;
        self.templates.push(Template { id, service: service.clone(), words, text, line_count: 0, last_line: 0 });
        self.leaves.entry(leaf).or_default().push(place);
        place
    }

    /// Forgets the least used templates, of equals those unused for longest. From [`WELL_USED`] lines on templates count
    /// as equals, so that a flood of lines seen once forgets itself, and what was busy long ago does not stay for ever.
    fn make_room(&mut self) {
        let room = (self.templates_max / ROOM_SHARE).max(1);
        let use_of = |template: &Template| (template.line_count.min(WELL_USED), template.last_line);
        let mut uses: Vec<(u64, u64)> = self.templates.iter().map(use_of).collect();
        uses.sort_unstable();
        let Some(&last_to_go) = uses.get(room - 1) else { return };
        let before = self.templates.len();
        self.templates.retain(|template| use_of(template) > last_to_go);
        self.evicted_count += (before - self.templates.len()) as u64;
        self.plant();
    }

    /// Rebuilds the tree from the templates, in their order.
    fn plant(&mut self) {
        self.leaves.clear();
        self.recent.fill(Recent::default());
        for (place, template) in self.templates.iter().enumerate() {
            let first = template.words.first().filter(|word| word.weight == weight_of(Class::Word));
            let leaf = Leaf {
                service: hash_of(template.service.as_str().as_bytes()),
                word_count: u32::try_from(template.words.len()).unwrap_or(u32::MAX),
                first: first.map_or(0, |word| word.hash),
            };
            self.leaves.entry(leaf).or_default().push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }
}

impl Word {
    fn of(text: Option<&str>) -> Self {
        let bytes = text.unwrap_or_default().as_bytes();
        Self { text: text.map(Box::from), hash: hash_of(bytes), weight: text.map_or(0, |_| weight_of(class_of(bytes))) }
    }
}

/// What a difference in a word of this class counts.
fn weight_of(class: Class) -> u32 {
    match class {
        Class::Wild => 1,
        Class::Name => 2,
        Class::Word => 6,
    }
}

/// Which entry of `recent` a line of this hash has.
fn recent_slot(key: u64) -> usize {
    // The top bits of this hash are the best mixed ones; the shift leaves as many as there are entries.
    usize::try_from(key >> (64 - RECENT_MAX.trailing_zeros())).unwrap_or(0)
}

/// The template as people read it.
fn text_of(words: &[Word]) -> Arc<str> {
    if words.is_empty() {
        return Arc::from("(empty line)");
    }
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word.text.as_deref().unwrap_or(WILDCARD));
    }
    Arc::from(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service() -> ServiceName {
        ServiceName::new("checkout")
    }

    fn texts(lines: &[&str]) -> Vec<String> {
        let mut miner = TemplateMiner::new();
        lines.iter().map(|line| miner.observe(&service(), line).text.to_string()).collect()
    }

    #[test]
    fn lines_of_one_event_are_one_template_whose_number_stays() {
        let mut miner = TemplateMiner::new();
        let first = miner.observe(&service(), "session opened for user root by (uid=0)");
        let second = miner.observe(&service(), "session opened for user news by (uid=9)");
        assert!(first.is_new && !second.is_new);
        assert_eq!(first.template, second.template);
        assert_eq!(&*second.text, "session opened for user <*> by (uid=<*>)");
    }

    #[test]
    fn other_wording_is_another_template() {
        let lines = ["connection accepted from 10.0.0.1", "connection refused by 10.0.0.1", "running", "stopped"];
        let mut miner = TemplateMiner::new();
        let ids: Vec<u64> = lines.iter().map(|line| miner.observe(&service(), line).template.0).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
    }

    #[test]
    fn services_do_not_share_templates() {
        let mut miner = TemplateMiner::new();
        let mine = miner.observe(&service(), "started");
        let theirs = miner.observe(&ServiceName::new("payment"), "started");
        assert!(theirs.is_new);
        assert_ne!(mine.template, theirs.template);
    }

    #[test]
    fn an_empty_line_has_a_template_too() {
        assert_eq!(texts(&["", "  \t "]), ["(empty line)", "(empty line)"]);
    }

    #[test]
    fn the_least_used_make_room_and_are_counted() {
        let mut miner = TemplateMiner::with_max(32);
        let word = |n: usize| format!("w{}", "x".repeat(n + 1));
        for _ in 0..3 {
            miner.observe(&service(), "busy template here");
        }
        for n in 0..200 {
            miner.observe(&service(), &word(n));
        }
        assert!(miner.len() <= 32);
        assert_eq!(miner.evicted_count() + miner.len() as u64, 201);
        assert!(!miner.observe(&service(), "busy template here").is_new);
        assert_eq!(miner.observe(&service(), "one more").template.0, 202, "numbers are never given again");
    }

    #[test]
    fn what_is_kept_reads_back_and_goes_on() {
        let mut miner = TemplateMiner::new();
        for line in ["user bob logged in twice", "user eve logged in twice", "job 7 took 3s", ""] {
            miner.observe(&service(), line);
        }
        let mut again = TemplateMiner::from_bytes(&miner.to_bytes()).unwrap();
        assert_eq!(again.to_bytes(), miner.to_bytes());
        for line in ["user mallory logged in twice", "job 8 took 4s", "", "never seen"] {
            assert_eq!(again.observe(&service(), line), miner.observe(&service(), line), "{line}");
        }
    }

    #[test]
    fn what_was_altered_is_refused_with_a_reason() {
        let mut miner = TemplateMiner::new();
        miner.observe(&service(), "started");
        let bytes = miner.to_bytes();
        assert!(matches!(TemplateMiner::from_bytes(&[]), Err(TemplatesError::Unreadable(_))));
        assert!(matches!(TemplateMiner::from_bytes(&[9, 0]), Err(TemplatesError::OtherVersion { found: 9 })));
        assert!(TemplateMiner::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_recognised_the_second_time(lines in prop::collection::vec(".{0,200}", 1..20)) {
            let mut miner = TemplateMiner::new();
            for line in &lines {
                let first = miner.observe(&service(), line);
                let second = miner.observe(&service(), line);
                prop_assert!(!second.is_new);
                prop_assert_eq!(first.template, second.template);
            }
        }

        #[test]
        fn the_same_lines_give_the_same_templates(lines in prop::collection::vec("[a-c =/:0-9\"']{0,40}", 1..40)) {
            prop_assert_eq!(
                texts(&lines.iter().map(String::as_str).collect::<Vec<_>>()),
                texts(&lines.iter().map(String::as_str).collect::<Vec<_>>())
            );
        }

        #[test]
        fn altered_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TemplateMiner::from_bytes(&bytes);
        }
    }
}
