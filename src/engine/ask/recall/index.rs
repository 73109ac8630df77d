//! An inverted index over features, scored by BM25F: S. Robertson, H. Zaragoza and M. Taylor, "Simple BM25 extension to
//! multiple weighted fields", CIKM 2004, with the fields' weights in the features and one length for all of them.
//!
//! Every posting of a query's features is looked at (term at a time, one accumulator a place). With what a query of an
//! incident asks for that is a few milliseconds over a hundred thousand incidents, so nothing is skipped by bounds, and
//! scores are the same whatever the order in which incidents came.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// How soon a weight saturates, and how much a long incident is held back: what is usual for BM25.
const K1: f32 = 1.2;
const B: f32 = 0.6;
/// Places that are empty are closed up once there are more of them than that, and more than half of those taken.
const EMPTY_MIN: usize = 1_024;

/// Where an incident is within an index, from 0.
pub(super) type Place = u32;

/// One incident that has a feature: its place in the upper 24 bits, the feature's weight in the lower eight.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
struct Posting(u32);

impl Posting {
    fn new(place: Place, weight: u8) -> Self {
        Self(place << 8 | u32::from(weight))
    }

    fn place(self) -> usize {
        (self.0 >> 8) as usize
    }

    fn weight(self) -> u8 {
        (self.0 & 0xff) as u8
    }
}

/// Who has a feature, in the order of places.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Having {
    postings: Vec<Posting>,
    /// How many of them are still there.
    count: u32,
}

/// The features of the incident at a place; `None` where it was forgotten.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Taken {
    /// The sum of their weights.
    length: u32,
    /// Their numbers in ascending order, each as the difference to the one before, seven bits a byte.
    features: Box<[u8]>,
}

/// The index.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// Features by identity. Never iterated.
    numbers: FxHashMap<u64, u32>,
    having: Vec<Having>,
    places: Vec<Option<Taken>>,
    taken_count: usize,
    length_sum: u64,
}

/// How much an incident of this length is held back; never 0.
fn held_back(length: u32, mean: f32) -> f32 {
    K1 * (1.0 - B + B * length as f32 / mean)
}

/// What a feature of this weight adds in an incident that is held back so much.
fn gain(weight: u8, held: f32) -> f32 {
    let weight = f32::from(weight) / 8.0;
    weight * (K1 + 1.0) / (weight + held)
}

/// What a query asks for: features by identity, each with how much it is worth.
pub(super) type Asked = BTreeMap<u64, f32>;

impl Index {
    /// Incidents in it.
    pub(super) fn len(&self) -> usize {
        self.taken_count
    }

    /// Takes an incident in; says where it is.
    pub(super) fn add(&mut self, features: &BTreeMap<u64, u8>) -> Place {
        let place = Place::try_from(self.places.len()).unwrap_or(Place::MAX);
        let mut numbers = Vec::with_capacity(features.len());
        let mut length = 0;
        for (identity, weight) in features {
            let next = u32::try_from(self.having.len()).unwrap_or(u32::MAX);
            let number = *self.numbers.entry(*identity).or_insert(next);
            if number == next {
                self.having.push(Having::default());
            }
            if let Some(having) = self.having.get_mut(number as usize) {
                having.postings.push(Posting::new(place, *weight));
                having.count += 1;
            }
            numbers.push(number);
            length += u32::from(*weight);
        }
        numbers.sort_unstable();
        self.places.push(Some(Taken { length, features: packed(&numbers) }));
        self.taken_count += 1;
        self.length_sum += u64::from(length);
        place
    }

    /// Takes the incident at a place out.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(taken) = self.places.get_mut(place as usize).and_then(Option::take) else { return };
        for number in unpacked(&taken.features) {
            if let Some(having) = self.having.get_mut(number as usize) {
                having.count = having.count.saturating_sub(1);
            }
        }
        self.taken_count -= 1;
        self.length_sum -= u64::from(taken.length);
    }

    /// True where so much is empty that it is worth closing up.
    pub(super) fn is_sparse(&self) -> bool {
        let empty = self.places.len() - self.taken_count;
        empty > EMPTY_MIN && 2 * empty > self.taken_count
    }

    /// Closes up what is empty; gives the new place of each old one.
    pub(super) fn close_up(&mut self) -> Vec<Option<Place>> {
        let mut next = 0;
        let moved: Vec<Option<Place>> = self
            .places
            .iter()
            .map(|taken| {
                taken.as_ref()?;
                next += 1;
                Some(next - 1)
            })
            .collect();
        for having in &mut self.having {
            let places = having.postings.iter().filter_map(|posting| {
                let place = moved.get(posting.place()).copied().flatten()?;
                Some(Posting::new(place, posting.weight()))
            });
            having.postings = places.collect();
            having.postings.shrink_to_fit();
        }
        self.places.retain(Option::is_some);
        self.places.shrink_to_fit();
        moved
    }

    /// How much it says that an incident has this feature: the rarer, the more.
    fn rarity(&self, identity: u64) -> f32 {
        let number = self.numbers.get(&identity).and_then(|number| self.having.get(*number as usize));
        let (all, having) = (self.taken_count as f32, number.map_or(0.0, |having| having.count as f32));
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    }

    fn mean_length(&self) -> f32 {
        (self.length_sum as f32 / self.taken_count.max(1) as f32).max(1.0)
    }

    /// The scores of all places, in their order; 0 where nothing is shared or nothing is there.
    pub(super) fn scores(&self, asked: &Asked) -> Vec<f32> {
        let mean = self.mean_length();
        // What holds the incident at a place back, beside its score: they are needed together, millions of times.
        let mut places: Vec<(f32, f32)> = self
            .places
            .iter()
            .map(|taken| (taken.as_ref().map_or(0.0, |it| held_back(it.length, mean)), 0.0))
            .collect();
        for (identity, worth) in asked {
            let Some(having) = self.numbers.get(identity).and_then(|number| self.having.get(*number as usize)) else {
                continue;
            };
            let factor = worth * self.rarity(*identity);
            for posting in &having.postings {
                if let Some((held, score)) = places.get_mut(posting.place()) {
                    *score += factor * gain(posting.weight(), *held);
                }
            }
        }
        // Of what was forgotten postings stay until it is closed up.
        places.into_iter().map(|(held, score)| if held > 0.0 { score } else { 0.0 }).collect()
    }

    /// What one feature adds to the score of the incident at a place.
    pub(super) fn part(&self, identity: u64, worth: f32, place: Place) -> Option<f32> {
        let having = self.having.get(*self.numbers.get(&identity)? as usize)?;
        let at = having.postings.binary_search_by_key(&(place as usize), |posting| posting.place()).ok()?;
        let length = self.places.get(place as usize)?.as_ref()?.length;
        let held = held_back(length, self.mean_length());
        Some(worth * self.rarity(identity) * gain(having.postings.get(at)?.weight(), held))
    }

    /// What an incident would score that had all that is asked for, with these weights and nothing else.
    pub(super) fn full(&self, asked: &Asked, weights: &BTreeMap<u64, u8>) -> f32 {
        let held = held_back(weights.values().map(|weight| u32::from(*weight)).sum(), self.mean_length());
        let of = |(identity, worth): (&u64, &f32)| {
            let weight = weights.get(identity)?;
            Some(worth * self.rarity(*identity) * gain(*weight, held))
        };
        asked.iter().filter_map(of).sum()
    }

    /// Bytes that it holds on the heap, near enough: capacities of its lists and of the table.
    pub(super) fn bytes(&self) -> usize {
        let postings: usize = self.having.iter().map(|having| having.postings.capacity() * size_of::<Posting>()).sum();
        let features: usize = self.places.iter().flatten().map(|taken| taken.features.len()).sum();
        postings
            + features
            + self.having.capacity() * size_of::<Having>()
            + self.places.capacity() * size_of::<Option<Taken>>()
            + self.numbers.capacity() * (size_of::<(u64, u32)>() + 1)
    }
}

/// Ascending numbers as differences, seven bits a byte, the highest bit where more follow.
fn packed(numbers: &[u32]) -> Box<[u8]> {
    let (mut bytes, mut before) = (Vec::with_capacity(numbers.len() * 2), 0);
    for number in numbers {
        let mut rest = number - before;
        before = *number;
        while rest > 0x7f {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes.into_boxed_slice()
}

fn unpacked(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let (mut before, mut value, mut shift) = (0_u32, 0_u32, 0);
    bytes.iter().filter_map(move |byte| {
        value |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        (byte & 0x80 == 0).then(|| {
            before = before.wrapping_add(value);
            (value, shift) = (0, 0);
            before
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back_as_they_went(numbers in proptest::collection::btree_set(any::<u32>(), 0..60)) {
            let numbers: Vec<u32> = numbers.into_iter().collect();
            prop_assert_eq!(unpacked(&packed(&numbers)).collect::<Vec<_>>(), numbers);
        }
    }
}
