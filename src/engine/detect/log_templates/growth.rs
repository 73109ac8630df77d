//! What a line that was never met teaches: its shape finds its family, families learn which of their names vary, words give
//! way to names where too many rival for one place, and templates that turn out to be one are merged.

use std::cmp::Reverse;
use std::sync::Arc;

use super::family::{Family, words_min};
use super::scan::Kind;
use super::shape::{Introduction, Look, Part, Shape, WILDCARD};
use super::{Template, TemplateMiner};
use crate::engine::model::{ServiceName, TemplateId};

/// Names remembered for having been seen where names vary.
const VOCABULARY_MAX: usize = 1 << 14;
/// Known names in one place that make it vary.
const KNOWN_NAMES_MIN: usize = 2;
/// Words of a shape that are weighed against others in their place.
const WEIGHED_MAX: usize = 40;

/// Words that were seen in the same place of otherwise equal shapes.
#[derive(Debug, Default)]
pub(super) struct Rival {
    words: Vec<u64>,
    shapes: Vec<u32>,
}

impl TemplateMiner {
    /// The template of a line that was never met, and whether it is news.
    pub(super) fn recognise(&mut self, service: &ServiceName, of_service: u64, message: &[u8]) -> (u32, bool) {
        let mut shape = self.shape_of(of_service, message);
        let key = shape.skeleton(None);
        let family = self.families.get(&key);
        if let Some(template) = family.and_then(|family| family.known(&shape)) {
            self.learn_names(key, &shape);
            return (template, false);
        }
        let is_first = family.is_none_or(|family| family.shapes.is_empty());
        // States and other constants are news where names are not.
        let is_news =
            is_first || shape.parts.iter().any(|part| matches!(shape.look(part), Look::Constant | Look::Fixed));
        if self.is_full() {
            self.make_room();
            // Which of its words are names may hang on lines that were just forgotten; whoever looks for it later does
            // not know them either.
            shape = self.shape_of(of_service, message);
        }
        let next_id = self.next_id;
        shape.template = self.add(service);
        let (template, number) = (shape.template, u32::try_from(self.shapes.len()).unwrap_or(u32::MAX));
        self.shapes.push(shape);
        self.settle(vec![number]);
        let root = self.root(template);
        // What was at once found to be part of an older template is none of its own.
        let is_own = self.template(root).is_some_and(|template| template.id.0 >= next_id);
        (root, is_news && is_own)
    }

    /// The shape of the line that was just scanned, by everything known now.
    fn shape_of(&self, of_service: u64, message: &[u8]) -> Shape {
        let mut shape = Shape::of(of_service, message, &self.scanned);
        self.open_words(&mut shape);
        shape
    }

    fn add(&mut self, service: &ServiceName) -> u32 {
        // At most twice `templates_max`, far below the range.
        let place = u32::try_from(self.templates.len()).unwrap_or(u32::MAX);
        let shape = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        let id = TemplateId(self.next_id);
        self.next_id += 1;
        self.templates.push(Template {
            id,
            service: service.clone(),
            text: Arc::from(""),
            line_count: 0,
            last_line: 0,
            parent: place,
            shape,
        });
        place
    }

    /// Words of the shape that stand where others like it vary are names.
    fn open_words(&self, shape: &mut Shape) {
        let mut at = 1;
        while at < shape.parts.len() {
            let is_open = |shape: &Shape| {
                let family = self.families.get(&shape.skeleton(Some(at)));
                family.and_then(|family| family.slot(at)).is_some_and(|slot| slot.is_variable)
            };
            if shape.parts[at].kind == Kind::Word && shape.word_count() >= 2 && is_open(shape) {
                shape.parts[at].kind = Kind::Name;
                // What was none of that family's kind before may be now.
                at = 0;
            }
            at += 1;
        }
    }

    /// Puts these shapes where they belong, and all others that move with them.
    pub(super) fn settle(&mut self, mut unsettled: Vec<u32>) {
        while let Some(number) = unsettled.pop() {
            let Some(mut shape) = self.shapes.get(number as usize).cloned() else { continue };
            let before = shape.skeleton(None);
            self.open_words(&mut shape);
            let key = shape.skeleton(None);
            if key != before
                && let Some(family) = self.families.get_mut(&before)
            {
                family.shapes.retain(|other| *other != number);
            }
            let family = self.families.entry(key).or_default();
            let is_changed = family.take(&shape);
            if !family.shapes.contains(&number) {
                family.shapes.push(number);
            }
            let template = shape.template;
            let known = family.group_into(&shape, template);
            if let Some(kept) = self.shapes.get_mut(number as usize) {
                kept.parts.clone_from(&shape.parts);
            }
            if let Some(known) = known {
                self.merge(known, template);
            }
            if is_changed {
                self.regroup(key);
                self.unsettle_rivals(key, &mut unsettled);
            } else {
                self.learn_names(key, &shape);
                self.retell(template);
            }
            self.weigh(number, &shape, &mut unsettled);
        }
    }

    /// Finds the templates of a family again, after a place of it was found to vary.
    fn regroup(&mut self, key: u64) {
        let Some(mut family) = self.families.remove(&key) else { return };
        family.ungroup();
        let shapes = family.shapes.clone();
        for &number in &shapes {
            let Some(shape) = self.shapes.get(number as usize) else { continue };
            let template = shape.template;
            if let Some(known) = family.group_into(shape, template) {
                self.merge(known, template);
            }
        }
        self.families.insert(key, family);
        for number in shapes {
            let Some(shape) = self.shapes.get(number as usize).cloned() else { continue };
            self.learn_names(key, &shape);
            self.retell(shape.template);
        }
    }

    /// Remembers the names of a shape that stand where names vary.
    fn learn_names(&mut self, key: u64, shape: &Shape) {
        let Some(family) = self.families.get(&key) else { return };
        for at in family.open_places() {
            let Some(part) = shape.parts.get(at).filter(|part| part.kind == Kind::Name) else { continue };
            if self.vocabulary.len() < VOCABULARY_MAX && !matches!(shape.look(part), Look::Empty | Look::Fixed) {
                self.vocabulary.insert(part.hash);
            }
        }
    }

    /// Holds the words of a shape against what other shapes, equal but for that word, have in the same place; and its names
    /// against the words that others have there.
    fn weigh(&mut self, number: u32, shape: &Shape, unsettled: &mut Vec<u32>) {
        let word_count = shape.word_count();
        let of_kind = |kind: Kind| {
            shape
                .parts
                .iter()
                .enumerate()
                .skip(1)
                .filter(move |(_, part)| (part.kind == Kind::Word) == (kind == Kind::Word))
        };
        let key = shape.skeleton(None);
        if word_count >= 1 {
            for (at, part) in of_kind(Kind::Name) {
                if self.rivals.contains_key(&(key, at)) && self.is_contested(key, at, part.introduction) {
                    self.open(key, at, unsettled);
                }
            }
        }
        if word_count < 2 {
            return;
        }
        for (at, part) in of_kind(Kind::Word).take(WEIGHED_MAX) {
            if shape.look(part) == Look::Fixed {
                continue;
            }
            let open = shape.skeleton(Some(at));
            let rival = self.rivals.entry((open, at)).or_default();
            if !rival.shapes.contains(&number) {
                rival.shapes.push(number);
            }
            if !rival.words.contains(&part.hash) {
                rival.words.push(part.hash);
            }
            if self.is_contested(open, at, part.introduction) {
                // The shape is weighed again when it has moved.
                return self.open(open, at, unsettled);
            }
        }
    }

    /// True where words, names and values of this place of a family are more than constants.
    fn is_contested(&self, key: u64, at: usize, introduction: Introduction) -> bool {
        let slot = self.families.get(&key).and_then(|family| family.slot(at));
        if slot.is_some_and(|slot| slot.has_value) {
            return true;
        }
        let names = slot.map_or(0, |slot| slot.values.len());
        let words = self.rivals.get(&(key, at)).map_or(&[][..], |rival| &rival.words);
        let known = || words.iter().filter(|word| self.vocabulary.contains(word)).count();
        words.len() + names >= words_min(introduction)
            || introduction != Introduction::None && known() >= KNOWN_NAMES_MIN
    }

    /// From now on this place of a family varies, and the shapes with words there belong to it.
    fn open(&mut self, key: u64, at: usize, unsettled: &mut Vec<u32>) {
        if self.families.entry(key).or_default().open(at) {
            self.regroup(key);
        }
        self.unsettle_rivals(key, unsettled);
    }

    /// Shapes with words where names of this family vary belong to it, too.
    fn unsettle_rivals(&mut self, key: u64, unsettled: &mut Vec<u32>) {
        let Some(family) = self.families.get(&key) else { return };
        for at in family.open_places() {
            unsettled.extend(self.rivals.remove(&(key, at)).unwrap_or_default().shapes);
        }
        // The oldest first, so that it is the one the others are merged into.
        unsettled.sort_unstable_by_key(|number| Reverse(*number));
        unsettled.dedup();
    }

    /// Makes the text of the template anew that the one at `place` is part of.
    fn retell(&mut self, place: u32) {
        let root = self.root(place);
        let Some(shape) = self.template(root).and_then(|template| self.shapes.get(template.shape as usize)) else {
            return;
        };
        let Some(family) = self.families.get(&shape.skeleton(None)) else { return };
        let text = self.text_of(shape, family);
        if let Some(template) = self.templates.get_mut(root as usize)
            && *template.text != *text
        {
            template.text = text;
        }
    }

    /// The template as people read it.
    fn text_of(&self, shape: &Shape, family: &Family) -> Arc<str> {
        let mut text = String::with_capacity(shape.text.len() + 16);
        let mut from = 0;
        for (at, part) in shape.parts.iter().enumerate() {
            let (start, end) = (part.start as usize, part.end as usize);
            text.push_str(shape.text.get(from..start).unwrap_or_default());
            if self.varies(shape, at, part, family) {
                text.push_str(WILDCARD);
            } else {
                text.push_str(shape.text.get(start..end).unwrap_or_default());
            }
            from = end;
        }
        text.push_str(shape.text.get(from..).unwrap_or_default());
        if text.is_empty() { Arc::from("(empty line)") } else { Arc::from(text) }
    }

    /// True for a part that is shown as varying: it does, or it reads like what does elsewhere.
    fn varies(&self, shape: &Shape, at: usize, part: &Part, family: &Family) -> bool {
        let is_known = || self.vocabulary.contains(&part.hash);
        match part.kind {
            Kind::Value => true,
            Kind::Word => at > 0 && part.introduction == Introduction::Noun && is_known(),
            Kind::Name => {
                family.slot(at).is_some_and(|slot| slot.is_variable)
                    || at > 0 && (is_known() || shape.look(part) == Look::Qualified && shape.is_address(part))
            }
        }
    }

    /// Makes all texts anew by everything known by now.
    pub fn retell_all(&mut self) {
        let roots: Vec<u32> = self.roots().map(|(place, _)| place).collect();
        for root in roots {
            self.retell(root);
        }
    }

    /// Keeps the templates at these places, ascending, and everything learned of them; forgets the others.
    pub(super) fn replant(&mut self, stays: &[u32]) {
        let shapes = std::mem::take(&mut self.shapes);
        let families = std::mem::take(&mut self.families);
        self.rivals.clear();
        self.recent.fill(super::Recent::default());
        let roots: Vec<u32> = shapes.iter().map(|shape| self.root(shape.template)).collect();
        let mut numbers = vec![None; shapes.len()];
        for (old, (mut shape, root)) in shapes.into_iter().zip(roots).enumerate() {
            let Ok(place) = stays.binary_search(&root) else { continue };
            if let Some(number) = numbers.get_mut(old) {
                *number = Some(u32::try_from(self.shapes.len()).unwrap_or(u32::MAX));
            }
            shape.template = u32::try_from(place).unwrap_or(u32::MAX);
            let key = shape.skeleton(None);
            if let Some(family) = families.get(&key) {
                family.open_places().for_each(|at| {
                    self.families.entry(key).or_default().open(at);
                });
            }
            self.shapes.push(shape);
        }
        let templates = std::mem::take(&mut self.templates);
        for (place, mut template) in templates.into_iter().enumerate() {
            let Ok(moved) = stays.binary_search(&u32::try_from(place).unwrap_or(u32::MAX)) else { continue };
            template.parent = u32::try_from(moved).unwrap_or(u32::MAX);
            template.shape = numbers.get(template.shape as usize).copied().flatten().unwrap_or(u32::MAX);
            self.templates.push(template);
        }
        self.merged_count = 0;
        // From the last to the first, so that the first is settled first.
        self.settle((0..u32::try_from(self.shapes.len()).unwrap_or(u32::MAX)).rev().collect());
    }
}
