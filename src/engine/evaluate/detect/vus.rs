//! Ranking measures: average precision over rows, and the volume under the precision-recall surface (Paparrizos et al.,
//! VLDB 2022), which forgives the edges of labels.

use std::ops::Range;

/// Levels at which the surface is cut.
const LEVELS: usize = 250;

/// Rows by falling score; equal scores in their order.
fn ranking(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

/// Area under the precision-recall curve over rows, ties taken together; `None` without a positive.
#[must_use]
pub fn average_precision(marks: &[bool], scores: &[f64]) -> Option<f64> {
    let positives = marks.iter().filter(|mark| **mark).count();
    if positives == 0 {
        return None;
    }
    let order = ranking(scores);
    let (mut hits, mut counted, mut area) = (0_usize, 0_usize, 0.0);
    for (place, &row) in order.iter().enumerate() {
        hits += usize::from(marks[row]);
        if order.get(place + 1).is_none_or(|next| scores[*next] != scores[row]) {
            area += (hits - counted) as f64 / positives as f64 * hits as f64 / (place + 1) as f64;
            counted = hits;
        }
    }
    Some(area)
}

/// Runs of marked rows.
fn runs(marks: &[bool]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (row, _) in marks.iter().enumerate().filter(|(_, mark)| **mark) {
        match found.last_mut() {
            Some(run) if run.end == row => run.end = row + 1,
            _ => found.push(row..row + 1),
        }
    }
    found
}

/// Mean area over shoulders of 0 to `buffer` rows; `None` without a positive.
#[must_use]
pub fn vus_pr(marks: &[bool], scores: &[f64], buffer: usize) -> Option<f64> {
    let rows = scores.len();
    let events = runs(marks);
    if events.is_empty() {
        return None;
    }
    let order = ranking(scores);
    let mut place = vec![0_usize; rows];
    let mut hits_by_place = vec![0_usize; rows + 1];
    for (at, &row) in order.iter().enumerate() {
        place[row] = at;
        hits_by_place[at + 1] = hits_by_place[at] + usize::from(marks[row]);
    }
    // Evenly spread over the ranking, the first and the last row among them.
    let step = (rows - 1) as f64 / (LEVELS - 1) as f64;
    let levels: Vec<f64> = (0..LEVELS)
        .map(|at| if at + 1 == LEVELS { rows - 1 } else { (at as f64 * step) as usize })
        .map(|at| scores[order[at]])
        .collect();
    // Rows at or above each level, ties included.
    let alarms: Vec<usize> = levels.iter().map(|level| order.partition_point(|row| scores[*row] >= *level)).collect();
    let surface =
        Surface { scores, place, hits: alarms.iter().map(|at| hits_by_place[*at] as f64).collect(), levels, alarms };
    let mut weight = vec![0.0; rows];
    let sum: f64 = (0..=buffer).map(|width| surface.area(&events, marks, width, &mut weight)).sum();
    Some(sum / (buffer + 1) as f64)
}

struct Surface<'a> {
    scores: &'a [f64],
    place: Vec<usize>,
    hits: Vec<f64>,
    levels: Vec<f64>,
    alarms: Vec<usize>,
}

impl Surface<'_> {
    fn area(&self, events: &[Range<usize>], marks: &[bool], width: usize, weight: &mut [f64]) -> f64 {
        let (half, rows) = (width / 2, self.scores.len());
        let mut merged: Vec<Range<usize>> = Vec::new();
        let mut touched: Vec<usize> = Vec::new();
        for event in events {
            let wide = event.start.saturating_sub(half)..(event.end + half).min(rows);
            let shoulders = (wide.start..event.start)
                .map(|row| (row, event.start - row))
                .chain((event.end..wide.end).map(|row| (row, row + 1 - event.end)));
            for (row, far) in shoulders {
                let slope = (1.0 - far as f64 / width.max(1) as f64).sqrt();
                if weight[row] == 0.0 {
                    touched.push(row);
                }
                weight[row] = (weight[row] + slope).min(1.0);
            }
            match merged.last_mut() {
                Some(before) if wide.start <= before.end => before.end = before.end.max(wide.end),
                _ => merged.push(wide),
            }
        }
        let mut by_rank: Vec<(usize, f64)> =
            touched.iter().filter(|row| !marks[**row]).map(|row| (self.place[*row], weight[*row])).collect();
        touched.iter().for_each(|row| weight[*row] = 0.0);
        by_rank.sort_unstable_by_key(|pair| pair.0);
        let peaks: Vec<f64> = merged
            .iter()
            .map(|event| self.scores[event.clone()].iter().copied().fold(f64::NEG_INFINITY, f64::max))
            .collect();
        let positives: f64 = events.iter().map(|event| event.len() as f64).sum();
        let (mut shoulder, mut next, mut before, mut area) = (0.0, 0, 0.0, 0.0);
        for (at, &alarms) in self.alarms.iter().enumerate() {
            while by_rank.get(next).is_some_and(|pair| pair.0 < alarms) {
                shoulder += by_rank[next].1;
                next += 1;
            }
            let seen = peaks.iter().filter(|peak| **peak >= self.levels[at]).count();
            let hits = self.hits[at] + shoulder;
            let recall = (hits / (positives + shoulder / 2.0)).min(1.0) * seen as f64 / peaks.len() as f64;
            area += (recall - before) * hits / alarms as f64;
            before = recall;
        }
        area
    }
}
