//! Scores answers of an anomaly detector on labelled metric series.
//!
//! Nothing adjusts points: an event counts as found when the score reaches the alert level inside it, every stretch of
//! alarm outside events is a false alert, and one that lasts counts again every `renotify_s`.

mod nab;
mod vus;

use std::collections::BTreeMap;

use serde::Deserialize;

/// Most thresholds tried when the best one is looked for.
const THRESHOLDS_MAX: usize = 400;

/// The labels of a data set.
#[derive(Debug, Clone, Deserialize)]
pub struct Labels {
    /// Name of the data set.
    pub name: String,
    /// True where the NAB score applies.
    #[serde(default)]
    pub nab: bool,
    /// Longest shoulder of an event for the volume under the surface, in rows.
    pub vus_buffer: usize,
    /// By path inside the data folder.
    pub series: BTreeMap<String, SeriesLabels>,
}

/// The labels of a series; rows count from 0, the header not counted.
#[derive(Debug, Clone, Deserialize)]
pub struct SeriesLabels {
    /// Number of rows.
    pub rows: usize,
    /// Median spacing in seconds.
    pub step_s: f64,
    /// Rows that are for learning.
    pub probation: usize,
    /// An alarm that lasts counts again after that many seconds.
    pub renotify_s: f64,
    /// Rows after an event's first in which it may still be found.
    pub grace_rows: usize,
    /// First row, last row, row of the onset.
    pub events: Vec<(usize, usize, usize)>,
}

/// One labelled series with the scores a detector gave it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Seconds since the epoch, made monotone.
    pub clock: Vec<f64>,
    /// Score of each row.
    pub scores: Vec<f64>,
    /// First row that counts.
    pub probation: usize,
    /// See [`SeriesLabels`].
    pub renotify_s: f64,
    /// See [`SeriesLabels`].
    pub step_s: f64,
    /// Every event as labelled.
    pub events: Vec<(usize, usize, usize)>,
    /// Events with their grace: first row, last row, onset; those that count.
    pub spans: Vec<(usize, usize, usize)>,
    /// The same, those during probation.
    pub cold_spans: Vec<(usize, usize, usize)>,
    /// Rows after probation in which an alert is false, in order.
    pub quiet_live: Vec<usize>,
    /// Rows during probation in which an alert is false, in order.
    pub quiet_cold: Vec<usize>,
    /// Days that count.
    pub days: f64,
    /// Days of probation.
    pub cold_days: f64,
}

impl Judged {
    /// Puts labels and scores together; `None` where they are not of the same rows or there is none.
    #[must_use]
    pub fn new(labels: &SeriesLabels, times: &[f64], scores: Vec<f64>) -> Option<Self> {
        let rows = times.len();
        let is_within = labels.events.iter().all(|&(first, last, onset)| first <= last && last < rows && onset < rows);
        if rows == 0 || scores.len() != rows || rows != labels.rows || !is_within {
            return None;
        }
        let mut latest = f64::NEG_INFINITY;
        let clock: Vec<f64> = times
            .iter()
            .map(|at| {
                latest = latest.max(*at);
                latest
            })
            .collect();
        let spans: Vec<_> = labels
            .events
            .iter()
            .map(|&(first, last, onset)| (first, last.max(first + labels.grace_rows).min(rows - 1), onset))
            .collect();
        // 0: an alert is false; 1: inside an event; 2: not counted either way.
        let mut zone = vec![0_u8; rows];
        for &(_, end, _) in &spans {
            let until = clock[end] + labels.renotify_s;
            (end + 1..rows).take_while(|row| clock[*row] <= until).for_each(|row| zone[row] = 2);
        }
        for &(first, end, _) in &spans {
            zone[first..=end].fill(1);
        }
        let probation = labels.probation;
        let (quiet_cold, quiet_live): (Vec<_>, Vec<_>) =
            (0..rows).filter(|row| zone[*row] == 0).partition(|row| *row < probation);
        let edge = clock[probation.min(rows - 1)];
        Some(Self {
            days: (clock[rows - 1] - edge).max(0.0) / 86_400.0,
            cold_days: (edge - clock[0]).max(0.0) / 86_400.0,
            cold_spans: spans.iter().copied().filter(|span| span.1 < probation).collect(),
            spans: spans
                .iter()
                .filter(|span| span.1 >= probation)
                .map(|&(first, end, onset)| (first.max(probation), end, onset))
                .collect(),
            clock,
            scores,
            probation,
            renotify_s: labels.renotify_s,
            step_s: labels.step_s,
            events: labels.events.clone(),
            quiet_live,
            quiet_cold,
        })
    }

    /// Alerts at `threshold` among rows in which each is false.
    #[must_use]
    pub fn false_alerts(&self, threshold: f64, quiet: &[usize]) -> usize {
        let mut count = 0;
        let mut again_at = f64::NEG_INFINITY;
        for &row in quiet {
            if self.scores[row] >= threshold && self.clock[row] >= again_at {
                count += 1;
                again_at = self.clock[row] + self.renotify_s;
            }
        }
        count
    }

    /// Highest score within a span.
    #[must_use]
    pub fn peak(&self, span: &(usize, usize, usize)) -> f64 {
        self.scores[span.0..=span.1].iter().copied().fold(0.0, f64::max)
    }

    /// Seconds from onset to the first alert of each event found.
    fn delays(&self, threshold: f64) -> impl Iterator<Item = f64> {
        self.spans.iter().filter_map(move |&(first, end, onset)| {
            let row = (first..=end).find(|row| self.scores[*row] >= threshold)?;
            Some(self.clock[row] - self.clock[onset])
        })
    }

    /// Labels of the rows that count.
    fn marks(&self) -> Vec<bool> {
        let mut marks = vec![false; self.scores.len()];
        for &(first, last, _) in self.events.iter().filter(|event| event.1 >= self.probation) {
            marks[first..=last].fill(true);
        }
        marks.split_off(self.probation.min(marks.len()))
    }

    fn live_scores(&self) -> &[f64] {
        &self.scores[self.probation.min(self.scores.len())..]
    }
}

/// Events found and false alerts at a threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventFigures {
    /// The threshold.
    pub threshold: f64,
    /// Found of found and false.
    pub precision: f64,
    /// Found of all events.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Events found.
    pub detected: usize,
    /// Events that count.
    pub events: usize,
    /// Alerts outside events.
    pub false_alerts: usize,
    /// The same, for each day of each series.
    pub false_alerts_per_series_day: f64,
    /// Median of first alert minus onset, in seconds.
    pub delay_median_s: Option<f64>,
    /// The same in rows.
    pub delay_median_rows: Option<f64>,
}

/// The score of the Numenta Anomaly Benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NabFigures {
    /// The standard profile at the best level.
    pub standard: f64,
    /// The profile that minds false alerts at its best level.
    pub low_fp: f64,
    /// The profile that minds missed windows at its best level.
    pub low_fn: f64,
    /// The standard profile at 0.5.
    pub standard_fixed: f64,
}

/// Everything measured on a data set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Number of series.
    pub series: usize,
    /// Number of rows.
    pub rows: usize,
    /// The NAB score, where it applies.
    pub nab: Option<NabFigures>,
    /// Volume under the precision-recall surface, mean over the series with events.
    pub vus_pr: f64,
    /// Area under the precision-recall curve, mean over the series with events.
    pub auc_pr: f64,
    /// At the one threshold that suits the whole data set best.
    pub best: EventFigures,
    /// At 0.5.
    pub fixed: EventFigures,
    /// Events during probation, and how many of them are found at 0.5.
    pub cold_events: usize,
    /// See `cold_events`.
    pub cold_detected: usize,
    /// False alerts a series during probation at 0.5.
    pub cold_alerts_per_series: f64,
}

/// Counts found events and false alerts.
#[must_use]
pub fn event_figures(series: &[Judged], threshold: f64) -> EventFigures {
    let (detected, events, false_alerts) = event_counts(series, threshold);
    let ratio = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let days: f64 = series.iter().map(|one| one.days).sum();
    let delays: Vec<f64> = series.iter().flat_map(|one| one.delays(threshold)).collect();
    let steps: Vec<f64> = series.iter().flat_map(|one| one.delays(threshold).map(|delay| delay / one.step_s)).collect();
    EventFigures {
        threshold,
        precision: ratio(detected, detected + false_alerts),
        recall: ratio(detected, events),
        f1: ratio(2 * detected, detected + false_alerts + events),
        detected,
        events,
        false_alerts,
        false_alerts_per_series_day: if days > 0.0 { false_alerts as f64 / days } else { 0.0 },
        delay_median_s: median(delays),
        delay_median_rows: median(steps),
    }
}

fn event_counts(series: &[Judged], threshold: f64) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    for one in series {
        counts.0 += one.spans.iter().filter(|span| one.peak(span) >= threshold).count();
        counts.1 += one.spans.len();
        counts.2 += one.false_alerts(threshold, &one.quiet_live);
    }
    counts
}

/// The single threshold for all series with the best event F1. Only the peaks of events can be optimal.
#[must_use]
pub fn best_threshold(series: &[Judged]) -> f64 {
    let mut peaks: Vec<f64> = series.iter().flat_map(|one| one.spans.iter().map(|span| one.peak(span))).collect();
    let total = peaks.len();
    peaks.retain(|peak| *peak > 0.0);
    peaks.sort_by(|a, b| b.total_cmp(a));
    peaks.dedup();
    if peaks.len() > THRESHOLDS_MAX {
        let last = (peaks.len() - 1) as f64;
        let mut picks: Vec<usize> =
            (0..THRESHOLDS_MAX).map(|at| (last * at as f64 / (THRESHOLDS_MAX - 1) as f64) as usize).collect();
        picks.dedup();
        peaks = picks.into_iter().map(|at| peaks[at]).collect();
    }
    let mut best = (-1.0, 1.0);
    for threshold in peaks {
        let (hit, _, alerts) = event_counts(series, threshold);
        let f1 = 2.0 * hit as f64 / (hit + alerts + total) as f64;
        if f1 > best.0 {
            best = (f1, threshold);
        }
        // Even full recall could no longer win.
        if 2.0 * (total as f64) / ((2 * total + alerts) as f64) < best.0 {
            break;
        }
    }
    best.1
}

/// Everything on one data set.
#[must_use]
pub fn evaluate(labels: &Labels, series: &[Judged]) -> Figures {
    let mut ranks = (0.0, 0.0, 0_usize);
    for one in series {
        let marks = one.marks();
        if let (Some(vus), Some(auc)) = (
            vus::vus_pr(&marks, one.live_scores(), labels.vus_buffer),
            vus::average_precision(&marks, one.live_scores()),
        ) {
            ranks = (ranks.0 + vus, ranks.1 + auc, ranks.2 + 1);
        }
    }
    let counted = ranks.2.max(1) as f64;
    let cold: usize = series.iter().map(|one| one.false_alerts(0.5, &one.quiet_cold)).sum();
    let cold_spans = || series.iter().flat_map(|one| one.cold_spans.iter().map(move |span| one.peak(span)));
    Figures {
        series: series.len(),
        rows: series.iter().map(|one| one.scores.len()).sum(),
        nab: labels.nab.then(|| NabFigures {
            standard: nab::score(series, nab::STANDARD, None),
            low_fp: nab::score(series, nab::LOW_FP, None),
            low_fn: nab::score(series, nab::LOW_FN, None),
            standard_fixed: nab::score(series, nab::STANDARD, Some(0.5)),
        }),
        vus_pr: ranks.0 / counted,
        auc_pr: ranks.1 / counted,
        best: event_figures(series, best_threshold(series)),
        fixed: event_figures(series, 0.5),
        cold_events: cold_spans().count(),
        cold_detected: cold_spans().filter(|peak| *peak >= 0.5).count(),
        cold_alerts_per_series: cold as f64 / series.len().max(1) as f64,
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten rows a minute apart, an event in rows 6 to 7, the first two rows for learning.
    fn judged(scores: [f64; 10]) -> Judged {
        let labels = SeriesLabels {
            rows: 10,
            step_s: 60.0,
            probation: 2,
            renotify_s: 120.0,
            grace_rows: 0,
            events: vec![(6, 7, 6)],
        };
        let times: Vec<f64> = (0..10).map(|at| f64::from(at) * 60.0).collect();
        Judged::new(&labels, &times, scores.to_vec()).unwrap()
    }

    #[test]
    fn an_alarm_that_lasts_counts_again_and_the_rows_after_an_event_do_not() {
        let one = judged([0.9, 0.0, 0.9, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9, 0.9]);
        let figures = event_figures(std::slice::from_ref(&one), 0.5);
        // Rows 2 and 4: two minutes apart; 8 and 9 are within two minutes after the event; 0 is for learning.
        assert_eq!((figures.detected, figures.events, figures.false_alerts), (1, 1, 2));
        assert!((figures.f1 - 0.5).abs() < 1e-12);
        assert_eq!(figures.delay_median_s, Some(60.0));
        assert_eq!(one.false_alerts(0.5, &one.quiet_cold), 1);
    }

    #[test]
    fn the_best_threshold_is_the_height_of_an_event() {
        let series = [judged([0.0, 0.0, 0.6, 0.0, 0.0, 0.0, 0.7, 0.0, 0.0, 0.0])];
        assert_eq!(best_threshold(&series), 0.7);
        assert_eq!(event_figures(&series, 0.7).f1, 1.0);
    }

    #[test]
    fn perfection_is_one_and_silence_nothing() {
        let labels = Labels { name: "x".to_owned(), nab: true, vus_buffer: 0, series: BTreeMap::new() };
        let perfect = evaluate(&labels, &[judged([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])]);
        assert!((perfect.vus_pr - 1.0).abs() < 1e-9 && (perfect.auc_pr - 1.0).abs() < 1e-9);
        // The first row of the window is as early as NAB can be.
        assert!((perfect.nab.unwrap().standard_fixed - 100.0).abs() < 1e-9);
        let silent = evaluate(&labels, &[judged([0.0; 10])]);
        assert_eq!((silent.fixed.f1, silent.nab.unwrap().standard_fixed), (0.0, 0.0));
    }

    #[test]
    fn labels_of_other_rows_are_refused() {
        let labels =
            |events| SeriesLabels { rows: 3, step_s: 1.0, probation: 0, renotify_s: 1.0, grace_rows: 3, events };
        assert!(Judged::new(&labels(vec![]), &[0.0, 1.0], vec![0.0, 0.0]).is_none());
        assert!(Judged::new(&labels(vec![(1, 3, 1)]), &[0.0, 1.0, 2.0], vec![0.0; 3]).is_none());
        assert!(Judged::new(&labels(vec![(1, 2, 1)]), &[0.0, 1.0, 2.0], vec![0.0; 3]).is_some());
    }
}
