//! Gradient boosting of small trees for several classes (Friedman 2001, with the second-order step of Chen and Guestrin
//! 2016). Deterministic: no sampling, ties go to the lower feature and threshold.

use serde::{Deserialize, Serialize};

/// Rounds of boosting; each adds a tree a class.
const ROUNDS: usize = 40;
/// Splits from the root to a leaf.
const DEPTH: usize = 2;
/// Share of a step that is taken.
const SHRINKAGE: f64 = 0.3;
/// What pulls leaves towards zero.
const RIDGE: f64 = 1.0;
/// Rows on each side of a split, at least.
const SIDE_ROWS_MIN: usize = 2;
/// A split must gain at least this much.
const GAIN_MIN: f64 = 1e-3;

/// A place of a tree; `value` is what the tree would say if it ended here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    value: f64,
    split: Option<Split>,
}

/// Rows whose feature is at most the threshold go left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Split {
    feature: usize,
    threshold: f32,
    left: usize,
    right: usize,
}

/// The nodes; the first is the root.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Tree {
    nodes: Vec<Node>,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Boosted {
    /// Logarithm of each class's share.
    priors: Vec<f64>,
    /// By round, a tree a class.
    rounds: Vec<Vec<Tree>>,
}

/// First and second derivative of the loss, by row.
struct Slopes {
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Boosted {
    /// Fits rows of equal length to their classes (numbers below `classes`). Every class should have rows; one that has
    /// none stays unlikely.
    #[must_use]
    pub fn fit(rows: &[Vec<f32>], labels: &[usize], classes: usize) -> Self {
        let mut shares = vec![1.0; classes];
        labels.iter().for_each(|label| {
            if let Some(share) = shares.get_mut(*label) {
                *share += 1.0;
            }
        });
        let all: f64 = shares.iter().sum();
        let mut model = Self { priors: shares.iter().map(|share| (share / all).ln()).collect(), rounds: Vec::new() };
        let mut scores: Vec<Vec<f64>> = vec![model.priors.clone(); rows.len()];
        for _ in 0..ROUNDS {
            let chances: Vec<Vec<f64>> = scores.iter().map(|row| softmax(row)).collect();
            let trees: Vec<Tree> = (0..classes).map(|class| grow(rows, &slopes(&chances, labels, class))).collect();
            for (row, score) in rows.iter().zip(&mut scores) {
                for (score, tree) in score.iter_mut().zip(&trees) {
                    *score += tree.value(row);
                }
            }
            model.rounds.push(trees);
        }
        model
    }

    /// How likely each class is for a row.
    #[must_use]
    pub fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        let mut scores = self.priors.clone();
        for trees in &self.rounds {
            for (score, tree) in scores.iter_mut().zip(trees) {
                *score += tree.value(row);
            }
        }
        softmax(&scores)
    }

    /// What each feature adds to the score of a class for a row, by the changes of value along the paths that the row
    /// takes (Saabas 2014); the largest first.
    #[must_use]
    pub fn contributions(&self, row: &[f32], class: usize) -> Vec<(usize, f64)> {
        let mut by_feature = vec![0.0; row.len()];
        for tree in self.rounds.iter().filter_map(|trees| trees.get(class)) {
            for (feature, change) in tree.changes(row) {
                if let Some(sum) = by_feature.get_mut(feature) {
                    *sum += change;
                }
            }
        }
        let mut told: Vec<(usize, f64)> = by_feature.into_iter().enumerate().filter(|(_, sum)| *sum != 0.0).collect();
        told.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()).then(one.0.cmp(&other.0)));
        told
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn slopes(chances: &[Vec<f64>], labels: &[usize], class: usize) -> Slopes {
    let chance = |row: &Vec<f64>| row.get(class).copied().unwrap_or(0.0);
    let first = chances.iter().zip(labels).map(|(row, label)| f64::from(u8::from(*label == class)) - chance(row));
    let second = chances.iter().map(|row| (chance(row) * (1.0 - chance(row))).max(1e-6));
    Slopes { first: first.collect(), second: second.collect() }
}

fn grow(rows: &[Vec<f32>], slopes: &Slopes) -> Tree {
    let mut tree = Tree::default();
    tree.add(rows, slopes, &(0..rows.len()).collect::<Vec<_>>(), DEPTH);
    tree
}

impl Slopes {
    fn sums(&self, members: &[usize]) -> (f64, f64) {
        let sum = |of: &[f64]| members.iter().filter_map(|row| of.get(*row)).sum();
        (sum(&self.first), sum(&self.second))
    }
}

/// What a leaf with these sums gains.
fn worth((first, second): (f64, f64)) -> f64 {
    first * first / (second + RIDGE)
}

impl Tree {
    /// Adds the node for `members` and what is under it; its place.
    fn add(&mut self, rows: &[Vec<f32>], slopes: &Slopes, members: &[usize], depth: usize) -> usize {
        let sums = slopes.sums(members);
        let place = self.nodes.len();
        self.nodes.push(Node { value: SHRINKAGE * sums.0 / (sums.1 + RIDGE), split: None });
        if depth == 0 {
            return place;
        }
        let Some((feature, threshold)) = best_split(rows, slopes, members) else {
            return place;
        };
        let is_left = |row: &usize| rows.get(*row).and_then(|row| row.get(feature)).is_some_and(|it| *it <= threshold);
        let (left, right): (Vec<usize>, Vec<usize>) = members.iter().partition(|row| is_left(row));
        let left = self.add(rows, slopes, &left, depth - 1);
        let right = self.add(rows, slopes, &right, depth - 1);
        if let Some(node) = self.nodes.get_mut(place) {
            node.split = Some(Split { feature, threshold, left, right });
        }
        place
    }

    /// The nodes that a row passes, from the root.
    fn path<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = &'a Node> {
        let next = |node: &&'a Node| {
            let split = node.split.as_ref()?;
            let is_left = row.get(split.feature).is_some_and(|value| *value <= split.threshold);
            self.nodes.get(if is_left { split.left } else { split.right })
        };
        std::iter::successors(self.nodes.first(), next)
    }

    fn value(&self, row: &[f32]) -> f64 {
        self.path(row).last().map_or(0.0, |node| node.value)
    }

    fn changes(&self, row: &[f32]) -> Vec<(usize, f64)> {
        let nodes: Vec<&Node> = self.path(row).collect();
        let steps = nodes.iter().zip(nodes.iter().skip(1));
        steps.filter_map(|(from, to)| Some((from.split.as_ref()?.feature, to.value - from.value))).collect()
    }
}

/// The feature and threshold that part the members best, where any does.
fn best_split(rows: &[Vec<f32>], slopes: &Slopes, members: &[usize]) -> Option<(usize, f32)> {
    let whole = slopes.sums(members);
    let mut best: Option<(f64, usize, f32)> = None;
    for feature in 0..rows.first()?.len() {
        let mut ordered: Vec<(f32, usize)> =
            members.iter().filter_map(|row| Some((*rows.get(*row)?.get(feature)?, *row))).collect();
        ordered.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut left = (0.0, 0.0);
        for (count, pair) in ordered.windows(2).enumerate() {
            let [(value, row), (next, _)] = pair else { continue };
            left.0 += slopes.first.get(*row).copied().unwrap_or(0.0);
            left.1 += slopes.second.get(*row).copied().unwrap_or(0.0);
            let is_small = count + 1 < SIDE_ROWS_MIN || ordered.len() - count - 1 < SIDE_ROWS_MIN;
            if value == next || is_small {
                continue;
            }
            let right = (whole.0 - left.0, whole.1 - left.1);
            let gain = worth(left) + worth(right) - worth(whole);
            if gain > best.map_or(GAIN_MIN, |(most, ..)| most + 1e-12) {
                best = Some((gain, feature, f32::midpoint(*value, *next)));
            }
        }
    }
    best.map(|(_, feature, threshold)| (feature, threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes by two features, and a third feature that says nothing.
    fn made_up(count: u32) -> (Vec<Vec<f32>>, Vec<usize>) {
        let row = |nth: u32| {
            let (a, b) = ((nth % 2) as f32, (nth / 2 % 2) as f32);
            let label = if a == 0.0 { 0 } else { 1 + b as usize };
            (vec![a, b, (nth * 7 % 5) as f32], label)
        };
        (0..count).map(row).unzip()
    }

    #[test]
    fn what_can_be_told_apart_is() {
        let (rows, labels) = made_up(60);
        let model = Boosted::fit(&rows, &labels, 3);
        let (others, expected) = made_up(97);
        for (row, label) in others.iter().zip(expected) {
            let chances = model.probabilities(row);
            assert!(chances[label] > 0.9, "{row:?} {chances:?}");
            assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn contributions_name_the_features_that_decided() {
        let (rows, labels) = made_up(60);
        let model = Boosted::fit(&rows, &labels, 3);
        let told = model.contributions(&[1.0, 1.0, 3.0], 2);
        let features: Vec<usize> = told.iter().map(|(feature, _)| *feature).take(2).collect();
        assert!(features.contains(&0) && features.contains(&1), "{told:?}");
        assert!(told.iter().take(2).all(|(_, sum)| *sum > 0.0), "{told:?}");
    }

    #[test]
    fn nothing_to_learn_from_is_the_prior() {
        let model = Boosted::fit(&[], &[], 2);
        assert_eq!(model.probabilities(&[1.0]), [0.5, 0.5]);
        let same = vec![vec![1.0]; 4];
        let model = Boosted::fit(&same, &[0, 0, 0, 1], 2);
        let chances = model.probabilities(&[1.0]);
        assert!(chances[0] > 0.6 && chances[0] < 0.85, "{chances:?}");
    }

    #[test]
    fn the_same_rows_give_the_same_model() {
        let (rows, labels) = made_up(40);
        assert_eq!(Boosted::fit(&rows, &labels, 3), Boosted::fit(&rows, &labels, 3));
    }
}
