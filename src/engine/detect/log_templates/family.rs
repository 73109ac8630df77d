//! Shapes of the same words: which of the names in them are constants and which vary, by what other lines have there.
//!
//! A name is a constant until there is evidence against it: a value in its place, names that only differ in a digit, two
//! hosts or classes, or more names than a program has words for. How many that are depends on how the names look and on
//! what stands before them. What varies once varies for ever, so that templates merge and never part.

use rustc_hash::FxHashMap;

use super::hash::{SEED, mix};
use super::scan::Kind;
use super::shape::{Introduction, Look, Part, Shape};

/// Hosts or classes in one place that make it vary: they are many by nature.
const QUALIFIED_MIN: usize = 2;
/// Names in one place that make it vary: more than the states a thing commonly has.
const NAMES_MIN: usize = 5;
/// The same where a preposition, or a noun that things are named by, stands before it.
const AFTER_PREPOSITION_MIN: usize = 4;
const AFTER_NOUN_MIN: usize = 2;
/// Names of any look, constants of the program among them.
const ANY_MIN: usize = 12;
/// Plain words in one place that make it vary.
const WORDS_MIN: usize = 8;
/// Names that are told apart in one place.
const VALUES_MAX: usize = 16;

/// One place of a family that is no plain word.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Hashes of the names seen there.
    pub values: Vec<u64>,
    /// A value was seen there, too.
    pub has_value: bool,
    /// It varies.
    pub is_variable: bool,
    stems: Vec<u64>,
    has_numbers: bool,
    qualified_count: usize,
    constant_count: usize,
}

impl Slot {
    /// True where this part would teach nothing.
    fn knows(&self, part: &Part) -> bool {
        self.is_variable
            || match part.kind {
                Kind::Value => self.has_value,
                _ => self.values.len() >= VALUES_MAX || self.values.contains(&part.hash),
            }
    }

    /// Learns what `shape` has here, which it does not know.
    fn take(&mut self, shape: &Shape, part: &Part) {
        if part.kind == Kind::Value {
            self.has_value = true;
            return;
        }
        self.values.push(part.hash);
        match shape.look(part) {
            Look::Qualified => self.qualified_count += 1,
            Look::Constant | Look::Fixed => self.constant_count += 1,
            Look::Numbered(stem) => {
                self.has_numbers |= self.stems.contains(&stem);
                self.stems.push(stem);
            }
            Look::Value | Look::Empty | Look::Plain => {}
        }
    }

    /// True where what was seen here is more than constants.
    fn is_evident(&self, at: usize, introduction: Introduction, word_count: usize) -> bool {
        let count = self.values.len();
        if self.has_value && count > 0 {
            // With no word in common, all that begins alike is alike.
            return word_count > 0 || at > 0;
        }
        if word_count == 0 || count < 2 {
            return false;
        }
        if at == 0 {
            return self.qualified_count >= NAMES_MIN;
        }
        self.qualified_count >= QUALIFIED_MIN
            || self.has_numbers
            || count - self.constant_count >= names_min(introduction, NAMES_MIN)
            || count >= ANY_MIN
    }
}

/// How many names make a place vary, by what stands before it; `otherwise` where that says nothing.
fn names_min(introduction: Introduction, otherwise: usize) -> usize {
    match introduction {
        Introduction::Noun => AFTER_NOUN_MIN,
        Introduction::Preposition => AFTER_PREPOSITION_MIN,
        Introduction::None => otherwise,
    }
}

/// How many plain words make a place vary, by what stands before it.
pub(super) fn words_min(introduction: Introduction) -> usize {
    names_min(introduction, WORDS_MIN)
}

/// Shapes of the same words.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// By place in the shape, ascending.
    slots: Vec<(usize, Slot)>,
    /// The template of each combination of constants; looked up, never walked.
    groups: FxHashMap<u64, u32>,
    /// The shapes that taught something.
    pub shapes: Vec<u32>,
}

impl Family {
    /// What is known of a place.
    pub fn slot(&self, at: usize) -> Option<&Slot> {
        let index = self.slots.binary_search_by_key(&at, |(place, _)| *place).ok()?;
        self.slots.get(index).map(|(_, slot)| slot)
    }

    fn slot_mut(&mut self, at: usize) -> &mut Slot {
        let index = match self.slots.binary_search_by_key(&at, |(place, _)| *place) {
            Ok(index) => index,
            Err(index) => {
                self.slots.insert(index, (at, Slot::default()));
                index
            }
        };
        // Found or put there just now.
        &mut self.slots[index].1
    }

    /// The template of a shape that would teach nothing.
    pub fn known(&self, shape: &Shape) -> Option<u32> {
        let mut names = shape.parts.iter().enumerate().filter(|(_, part)| part.kind != Kind::Word);
        let is_known = names.all(|(at, part)| self.slot(at).is_some_and(|slot| slot.knows(part)));
        is_known.then(|| self.groups.get(&self.group(shape)).copied())?
    }

    /// Learns a shape; true where a place varies since.
    pub fn take(&mut self, shape: &Shape) -> bool {
        let word_count = shape.word_count();
        let mut is_changed = false;
        for (at, part) in shape.parts.iter().enumerate().filter(|(_, part)| part.kind != Kind::Word) {
            let slot = self.slot_mut(at);
            if !slot.knows(part) {
                slot.take(shape, part);
                slot.is_variable = slot.is_evident(at, part.introduction, word_count);
                is_changed |= slot.is_variable;
            }
        }
        is_changed
    }

    /// From now on this place varies; true where it did not before.
    pub fn open(&mut self, at: usize) -> bool {
        !std::mem::replace(&mut self.slot_mut(at).is_variable, true)
    }

    /// Places that vary.
    pub fn open_places(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().filter(|(_, slot)| slot.is_variable).map(|(at, _)| *at)
    }

    /// Gives a combination of constants its template; the one it had, where that is another.
    pub fn group_into(&mut self, shape: &Shape, template: u32) -> Option<u32> {
        let group = self.group(shape);
        let known = *self.groups.entry(group).or_insert(template);
        (known != template).then_some(known)
    }

    /// Forgets which combination has which template.
    pub fn ungroup(&mut self) {
        self.groups.clear();
    }

    /// Equal for shapes that differ only in places that vary.
    fn group(&self, shape: &Shape) -> u64 {
        let constants = self.slots.iter().filter(|(_, slot)| !slot.is_variable);
        constants.fold(SEED, |all, (at, _)| match shape.parts.get(*at) {
            Some(part) if part.kind != Kind::Word => mix(mix(all, *at as u64), part.hash),
            _ => all,
        })
    }
}
