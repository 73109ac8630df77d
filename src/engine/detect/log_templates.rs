//! Online mining of log templates: each line is given the template it is an instance of, and a template's number stays
//! the same while its text becomes more general.
//!
//! ```text
//! line ─▶ scan: words, names, values ─▶ hash ─┬─▶ met before: its template (nearly every line)
//!                                             └─▶ shape ─▶ family of the same words ─▶ evidence ─▶ template
//! ```
//!
//! Values are taken out by their look alone. Whether a name varies is not a matter of likeness but of evidence: what other
//! lines of the same words have in that place ([`family`]). Where the evidence comes later than the lines, templates that
//! turn out to be one are merged and the older number stays, so a number read back with [`TemplateMiner::resolve`] at the end
//! is that of everything known by then.
//!
//! Memory is bounded: templates, parts and bytes of a message. Pure and deterministic: the same lines in the same order give
//! the same numbers and texts.

mod family;
mod growth;
mod hash;
mod kept;
mod marks;
mod scan;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use self::family::Family;
use self::growth::Rival;
use self::hash::{hash_of, mix};
pub use self::kept::TemplatesError;
use self::scan::Scanned;
use self::shape::Shape;
use crate::engine::limits::LOG_TEMPLATES_MAX;
use crate::engine::model::{ServiceName, TemplateId};

/// Lines remembered by their hash; a power of two.
const RECENT_MAX: usize = 1 << 15;
/// Of the templates, this share makes room at once when there are too many: 1/4.
const ROOM_SHARE: usize = 4;
/// Shapes that are kept, for each template that may be.
const SHAPES_SHARE: usize = 4;
/// Lines from which a template is well used.
const WELL_USED: u64 = 16;
/// Merges that are remembered until somebody asks for them.
const MERGES_MAX: usize = 4_096;

/// What a line was recognised as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mined {
    /// The template's number; it is never given again.
    pub template: TemplateId,
    /// Its text at present, `<*>` where it varies.
    pub text: Arc<str>,
    /// True for the first line of a template whose words were never seen before.
    pub is_new: bool,
}

/// One template.
#[derive(Debug, Clone)]
struct Template {
    id: TemplateId,
    service: ServiceName,
    text: Arc<str>,
    /// Lines so far.
    line_count: u64,
    /// Sequence number of its last line.
    last_line: u64,
    /// The template it turned out to be part of; itself otherwise.
    parent: u32,
    /// The shape its text is made of.
    shape: u32,
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
    /// Templates that are part of another.
    merged_count: usize,
    merges: Vec<(TemplateId, TemplateId)>,
    shapes: Vec<Shape>,
    families: FxHashMap<u64, Family>,
    /// By family and place.
    rivals: FxHashMap<(u64, usize), Rival>,
    /// Hashes of names that were seen where names vary.
    vocabulary: FxHashSet<u64>,
    recent: Vec<Recent>,
    scanned: Scanned,
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
            merged_count: 0,
            merges: Vec::new(),
            shapes: Vec::new(),
            families: FxHashMap::default(),
            rivals: FxHashMap::default(),
            vocabulary: FxHashSet::default(),
            recent: Vec::new(),
            scanned: Scanned::default(),
            next_id: 1,
            line_count: 0,
            evicted_count: 0,
            templates_max,
        }
    }

    /// How many templates are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.templates.len() - self.merged_count
    }

    /// Services of which at least `lines_min` lines were mined.
    #[must_use]
    pub fn well_known(&self, lines_min: u64) -> BTreeSet<ServiceName> {
        let mut lines: BTreeMap<&ServiceName, u64> = BTreeMap::new();
        for (_, template) in self.roots() {
            *lines.entry(&template.service).or_default() += template.line_count;
        }
        lines.into_iter().filter(|(_, count)| *count >= lines_min).map(|(service, _)| service.clone()).collect()
    }

    /// Service and text of a template, or of the one it became part of.
    #[must_use]
    pub fn get(&self, id: TemplateId) -> Option<(&ServiceName, &Arc<str>)> {
        let template = self.template(self.root(self.place_of(id)?))?;
        Some((&template.service, &template.text))
    }

    /// The template that `id` is part of by now; `None` once it had to make room.
    #[must_use]
    pub fn resolve(&self, id: TemplateId) -> Option<TemplateId> {
        self.template(self.root(self.place_of(id)?)).map(|template| template.id)
    }

    /// Templates that became part of another since this was last asked: which, and of which.
    pub fn take_merges(&mut self) -> Vec<(TemplateId, TemplateId)> {
        std::mem::take(&mut self.merges)
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
        self.scanned.read(message.as_bytes());
        let of_service = hash_of(service.as_str().as_bytes());
        let key = mix(self.scanned.signature, of_service);
        if let Some(place) = self.recall(key) {
            return self.count(place, false);
        }
        let (place, is_new) = self.recognise(service, of_service, message.as_bytes());
        if self.recent.is_empty() {
            // Half a megabyte that nobody needs who reads no logs.
            self.recent.resize(RECENT_MAX, Recent::default());
        }
        if let Some(slot) = self.recent.get_mut(recent_slot(key)) {
            *slot = Recent { key, place: place + 1 };
        }
        self.count(place, is_new)
    }

    /// The template of a line that read the same.
    fn recall(&self, key: u64) -> Option<u32> {
        let recent = self.recent.get(recent_slot(key))?;
        (recent.key == key).then_some(recent.place)?.checked_sub(1)
    }

    /// Counts a line of the template at `place`.
    fn count(&mut self, place: u32, is_new: bool) -> Mined {
        let root = self.root(place);
        // Places come from the shapes and from `recent`, which are rebuilt whenever templates move.
        let template = &mut self.templates[root as usize];
        template.line_count += 1;
        template.last_line = self.line_count;
        Mined { template: template.id, text: Arc::clone(&template.text), is_new }
    }

    fn template(&self, place: u32) -> Option<&Template> {
        self.templates.get(place as usize)
    }

    /// Where the template of this number is; numbers grow with places.
    fn place_of(&self, id: TemplateId) -> Option<u32> {
        let at = self.templates.binary_search_by_key(&id, |template| template.id).ok()?;
        u32::try_from(at).ok()
    }

    /// The template that the one at `place` is part of; always an older one, so this ends.
    fn root(&self, mut place: u32) -> u32 {
        while let Some(template) = self.template(place).filter(|template| template.parent < place) {
            place = template.parent;
        }
        place
    }

    /// Templates that are part of no other, with their places.
    fn roots(&self) -> impl Iterator<Item = (u32, &Template)> {
        self.templates.iter().enumerate().filter_map(|(place, template)| {
            let place = u32::try_from(place).ok()?;
            (template.parent == place).then_some((place, template))
        })
    }

    /// Makes one template of two; the older number stays.
    fn merge(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        let (older, younger) = (one.min(other), one.max(other));
        if older == younger {
            return;
        }
        let Some(template) = self.templates.get_mut(younger as usize) else { return };
        template.parent = older;
        let (from, lines, last_line) = (template.id, template.line_count, template.last_line);
        let Some(template) = self.templates.get_mut(older as usize) else { return };
        template.line_count += lines;
        template.last_line = template.last_line.max(last_line);
        self.merged_count += 1;
        if self.merges.len() < MERGES_MAX {
            self.merges.push((from, template.id));
        }
    }

    /// True where another template needs room.
    fn is_full(&self) -> bool {
        self.len() >= self.templates_max
            || self.templates.len() >= 2 * self.templates_max
            || self.shapes.len() >= SHAPES_SHARE * self.templates_max
    }

    /// Forgets the least used templates, of equals those unused for longest. From [`WELL_USED`] lines on templates count
    /// as equals, so that a flood of lines seen once forgets itself, and what was busy long ago does not stay for ever.
    fn make_room(&mut self) {
        let room = (self.templates_max / ROOM_SHARE).max(1);
        let use_of = |template: &Template| (template.line_count.min(WELL_USED), template.last_line);
        let mut uses: Vec<(u64, u64)> = self.roots().map(|(_, template)| use_of(template)).collect();
        uses.sort_unstable();
        // At least one stays, so that two templates can be told apart at all.
        let goes = uses.get(room.min(uses.len().saturating_sub(1)).saturating_sub(1)).copied();
        let stays: Vec<u32> =
            self.roots().filter(|(_, template)| Some(use_of(template)) > goes).map(|(place, _)| place).collect();
        self.evicted_count += (self.len() - stays.len()) as u64;
        self.replant(&stays);
    }
}

/// Which entry of `recent` a line of this hash has.
fn recent_slot(key: u64) -> usize {
    // The top bits of this hash are the best mixed ones; the shift leaves as many as there are entries.
    usize::try_from(key >> (64 - RECENT_MAX.trailing_zeros())).unwrap_or(0)
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

    /// Each line's template by everything known after the last.
    fn settled(lines: &[&str]) -> (TemplateMiner, Vec<TemplateId>) {
        let mut miner = TemplateMiner::new();
        let at_once: Vec<TemplateId> = lines.iter().map(|line| miner.observe(&service(), line).template).collect();
        let settled = at_once.into_iter().map(|id| miner.resolve(id).unwrap()).collect();
        (miner, settled)
    }

    #[test]
    fn states_stay_apart_and_names_become_one() {
        let count = |lines: &[&str]| settled(lines).1.into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!(count(&["job 7 went from NEW to READY", "job 8 went from NEW to FAILED"]), 2);
        assert_eq!(count(&["overlap=true at 3", "overlap=false at 4"]), 2);
        assert_eq!(count(&["core 1 of tree x is hot", "core 2 of torus y is hot"]), 2);
        assert_eq!(count(&["opened for user bob", "opened for user eve"]), 1);
        assert_eq!(count(&["lookup of a.example.org done", "lookup of b.example.org done"]), 1);
        assert_eq!(count(&["link eth0 up", "link eth1 up"]), 1);
        assert_eq!(count(&["owner is bob now", "owner is 17 now"]), 1);
        assert_eq!(count(&["x= ee2. is NEW", "x= a. is NEW", "x= ee0. is NEW"]), 1, "a word seen before they varied");
        assert_eq!(count(&["delete blk_1 blk_2", "delete blk_3", "delete blk_4 blk_5 blk_6"]), 1);
        assert_eq!(count(&["peers n-1 0x1 <ok> n-2 0x2 <ok>", "peers n-1 0x1 <ok> n-2 0x2 <ok> n-3 0x3 <ok>"]), 1);
        assert_eq!(count(&["got: () at 3", "got: (a.example.org) at 3", "got: (10.0.0.1) at 3"]), 1);
    }

    #[test]
    fn templates_that_turn_out_to_be_one_keep_the_older_number() {
        let names = ["amber", "birch", "cedar", "doves", "elder", "fable", "gourd", "hazel", "iris"];
        let lines: Vec<String> = names.iter().map(|name| format!("the shelf of {name} is now empty")).collect();
        let mut miner = TemplateMiner::new();
        let ids: Vec<TemplateId> = lines.iter().map(|line| miner.observe(&service(), line).template).collect();
        assert_eq!(ids.first(), Some(&TemplateId(1)));
        assert!(ids[1] != ids[0] && ids.last() == ids.first(), "{ids:?}");
        assert!(ids.iter().all(|id| miner.resolve(*id) == Some(TemplateId(1))));
        assert_eq!(miner.len(), 1);
        assert_eq!(&**miner.get(ids[3]).unwrap().1, "the shelf of <*> is now empty");
        let merges = miner.take_merges();
        assert!(merges.iter().all(|(_, into)| *into == TemplateId(1)) && merges.len() == 7, "{merges:?}");
        assert!(miner.take_merges().is_empty());
    }

    #[test]
    fn a_long_line_is_one_value_from_some_point_on() {
        let line = format!("body {}", "word ".repeat(200_000));
        let mined = TemplateMiner::new().observe(&service(), &line);
        assert!(mined.text.len() < 5_000 && mined.text.ends_with("<*>"));
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
        let earlier = TemplateMiner::from_bytes(&[1, 42, 0, 0, 0]).unwrap();
        assert!(earlier.is_empty() && earlier.next_id == 42, "an earlier method's templates are learned anew");
        assert!(matches!(TemplateMiner::from_bytes(&[]), Err(TemplatesError::Unreadable(_))));
        assert!(matches!(TemplateMiner::from_bytes(&[9, 0]), Err(TemplatesError::OtherVersion { found: 9 })));
        assert!(TemplateMiner::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_line_that_makes_others_leave_is_known_again_after_a_start() {
        let mut miner = TemplateMiner::with_max(3);
        // After a noun two words vary, so that `c` is a name while the first two lines are known; it makes them leave.
        for line in ["user a was NEW", "user b was NEW", "up", "up", "up", "down", "down", "down", "user c was OLD"] {
            miner.observe(&service(), line);
        }
        assert_eq!(miner.evicted_count(), 1);
        let mut again = TemplateMiner::from_bytes(&miner.to_bytes()).unwrap();
        assert_eq!(again.observe(&service(), "user c was OLD"), miner.observe(&service(), "user c was OLD"));
    }

    proptest! {
        #[test]
        fn any_text_is_recognised_the_second_time(lines in prop::collection::vec(".{0,200}", 1..20)) {
            let mut miner = TemplateMiner::new();
            for line in &lines {
                let first = miner.observe(&service(), line);
                let second = miner.observe(&service(), line);
                prop_assert!(!second.is_new);
                prop_assert_eq!(miner.resolve(first.template), Some(second.template));
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
        fn whatever_merges_or_makes_room_the_numbers_hold(
            lines in prop::collection::vec("(user|to|of|x=) ?[a-f]{1,2}[0-9.]{0,2} (was|is) (seen|NEW|OLD|lost)", 1..150)
        ) {
            let mut miner = TemplateMiner::with_max(24);
            for line in &lines {
                let mined = miner.observe(&service(), line);
                prop_assert_eq!(miner.resolve(mined.template), Some(mined.template));
                prop_assert_eq!(miner.get(mined.template).map(|(_, text)| text.clone()), Some(mined.text));
                prop_assert!(miner.len() <= 24);
            }
            let mut again = TemplateMiner::from_bytes(&miner.to_bytes()).unwrap();
            again.templates_max = miner.templates_max;
            prop_assert_eq!(again.len(), miner.len());
            for line in lines.iter().rev().take(5) {
                prop_assert_eq!(again.observe(&service(), line).template, miner.observe(&service(), line).template);
            }
        }

        #[test]
        fn altered_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TemplateMiner::from_bytes(&bytes);
        }
    }
}
