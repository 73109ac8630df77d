//! The series of one server: which local number each has, what was last taken of it, and which have gone silent. Pure.

use rustc_hash::{FxHashMap, FxHashSet};

use super::answer::{Entry, Pairs, Point};
use super::queries::Query;
use crate::engine::clock::{HOUR_MS, Timestamp};
use crate::engine::ingest::normalize;
use crate::engine::limits::SERIES_PER_SOURCE_MAX;
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{DropReason, Fingerprint, Sample, SeriesDescriptor, SeriesNotice, SourceName};

/// A series that did not appear in this many polls of its query is gone.
const MISSED_POLLS_MAX: u64 = 3;

/// A series that stayed away for this long is forgotten, its number free for another: pods come and go for years. It is
/// longer than detection waits before it retires a series whose siblings go on.
const FORGOTTEN_AFTER_MS: i64 = 25 * HOUR_MS;

/// What a poll gave.
#[derive(Debug, Default)]
pub struct Taken {
    /// Series seen for the first time, to be told before the samples.
    pub notices: Vec<SeriesNotice>,
    /// The samples, in no order across series.
    pub samples: Vec<Sample>,
    /// What was set aside.
    pub dropped: std::collections::BTreeMap<DropReason, u64>,
    /// Counters that went back.
    pub counter_reset_count: u64,
}

impl Taken {
    fn drop_for(&mut self, reason: DropReason, count: usize) {
        if count > 0 {
            *self.dropped.entry(reason).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
        }
    }

    /// Puts the samples in order of time, across series.
    pub fn sort(&mut self) {
        self.samples.sort_unstable_by_key(|sample| (sample.at, sample.local));
    }
}

/// The series known.
#[derive(Debug)]
pub struct SeriesTable {
    source: SourceName,
    service_labels: Vec<String>,
    instance_labels: Vec<String>,
    interval_ms: u32,
    known: FxHashMap<u64, Known>,
    fingerprints: FxHashSet<Fingerprint>,
    /// Numbers given so far, and those of them that are free again.
    local_count: u32,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Known {
    /// The local number and what the series is told apart by, or why it is not taken.
    local: Result<(u32, Fingerprint), DropReason>,
    query: usize,
    last: Option<(Timestamp, f64)>,
    seen_in_poll: u64,
}

impl SeriesTable {
    /// No series yet.
    #[must_use]
    pub fn new(source: SourceName, service_labels: &[String], instance_labels: &[String], interval_ms: i64) -> Self {
        Self {
            source,
            service_labels: service_labels.to_vec(),
            instance_labels: instance_labels.to_vec(),
            interval_ms: u32::try_from(interval_ms).unwrap_or(u32::MAX),
            known: FxHashMap::default(),
            fingerprints: FxHashSet::default(),
            local_count: 0,
            free: Vec::new(),
        }
    }

    /// Takes one series of an answer to the query at index `at`. Stamps are brought to our clock by `offset_ms` (theirs minus ours).
    pub fn take(
        &mut self,
        (at, query): (usize, &Query),
        poll: u64,
        entry: &Entry<'_>,
        offset_ms: i64,
        now: Timestamp,
        into: &mut Taken,
    ) {
        into.drop_for(DropReason::NativeHistogram, entry.histograms.len() + usize::from(entry.histogram.is_some()));
        let key = key_of(at, &entry.metric);
        if !self.known.contains_key(&key) {
            let local = self.meet(query, &entry.metric, &mut into.notices);
            self.known.insert(key, Known { local, query: at, last: None, seen_in_poll: poll });
        }
        let Some(known) = self.known.get_mut(&key) else { return };
        known.seen_in_poll = poll;
        let local = match known.local {
            Ok((local, _)) => local,
            Err(reason) => return into.drop_for(reason, entry.values.len() + usize::from(entry.value.is_some())),
        };
        for point in entry.values.iter().chain(&entry.value) {
            match accept(point, offset_ms, now, known.last) {
                Ok((stamp, value)) => {
                    let is_reset = query.is_counter && known.last.is_some_and(|(_, before)| value < before);
                    into.counter_reset_count += u64::from(is_reset);
                    known.last = Some((stamp, value));
                    into.samples.push(Sample { local, at: stamp, value });
                }
                Err(reason) => into.drop_for(reason, 1),
            }
        }
    }

    /// Gives a series that is new its local number.
    fn meet(
        &mut self,
        query: &Query,
        metric: &Pairs<'_>,
        notices: &mut Vec<SeriesNotice>,
    ) -> Result<(u32, Fingerprint), DropReason> {
        let taken = normalize::labels(metric.0.iter().map(|(name, value)| (&*name.0, &*value.0)));
        if taken.left_out_count > 0 {
            // Without the missing labels it could be taken for another series.
            return Err(DropReason::TooMany);
        }
        let labels = taken.labels;
        let service = match &query.service {
            Some(service) => service.clone(),
            None => normalize::service(&labels, &self.service_labels).ok_or(DropReason::NoService)?,
        };
        let descriptor = SeriesDescriptor {
            metric: normalize::sanitize(&query.metric, crate::engine::limits::LABEL_NAME_BYTES_MAX),
            service,
            instance: normalize::instance(&labels, &self.instance_labels),
            unit: query.unit,
            role: query.role,
            bad_when: query.bad_when,
            is_skewed: query.is_skewed,
            limit: query.limit,
            interval_ms: self.interval_ms,
            labels,
        };
        let is_full = usize::try_from(self.local_count).unwrap_or(usize::MAX) >= SERIES_PER_SOURCE_MAX;
        if self.free.is_empty() && is_full {
            return Err(DropReason::TooMany);
        }
        let fingerprint = descriptor.fingerprint(self.source.as_str());
        if !self.fingerprints.insert(fingerprint) {
            // Another query tells of the same: it came first, and two tellers of one series would contradict each other.
            return Err(DropReason::Duplicate);
        }
        let local = self.free.pop().unwrap_or_else(|| {
            self.local_count += 1;
            self.local_count - 1
        });
        notices.push(SeriesNotice { source: self.source.clone(), local, descriptor });
        Ok((local, fingerprint))
    }

    /// Forgets the series that stayed away for [`FORGOTTEN_AFTER_MS`]. `polls` holds, for each query, the number of its
    /// polls that succeeded.
    pub fn forget(&mut self, polls: &[u64]) {
        let away_max = u64::try_from(FORGOTTEN_AFTER_MS / i64::from(self.interval_ms.max(1))).unwrap_or(u64::MAX);
        let (fingerprints, free) = (&mut self.fingerprints, &mut self.free);
        self.known.retain(|_, known| {
            let polled = polls.get(known.query).copied().unwrap_or(0);
            let is_kept = polled.saturating_sub(known.seen_in_poll) <= away_max;
            if let (false, Ok((local, fingerprint))) = (is_kept, known.local) {
                fingerprints.remove(&fingerprint);
                free.push(local);
            }
            is_kept
        });
    }

    /// How many series there are, and how many of them were there and are gone. `polls` holds, for each query, the number of its
    /// polls that succeeded.
    #[must_use]
    pub fn counts(&self, polls: &[u64]) -> (usize, usize) {
        let taken = || self.known.values().filter(|known| known.local.is_ok());
        let gone = taken()
            .filter(|known| {
                let polled = polls.get(known.query).copied().unwrap_or(0);
                polled.saturating_sub(known.seen_in_poll) >= MISSED_POLLS_MAX
            })
            .count();
        (taken().count() - gone, gone)
    }
}

fn accept(
    point: &Point,
    offset_ms: i64,
    now: Timestamp,
    last: Option<(Timestamp, f64)>,
) -> Result<(Timestamp, f64), DropReason> {
    let value = point.value?;
    let stamp = normalize::stamp(point.at - offset_ms, now)?;
    normalize::follows(stamp, last.map(|(at, _)| at))?;
    Ok((stamp, value))
}

/// Which series an entry is of, within one query. The server tells labels in a fixed order; another order would be another series here
/// and the same fingerprint, and so be set aside as told twice.
fn key_of(query: usize, metric: &Pairs<'_>) -> u64 {
    let mut hash = Fnv1a::new();
    for (name, value) in &metric.0 {
        hash.part(&name.0);
        hash.part(&value.0);
    }
    hash.0.rotate_left(5) ^ u64::try_from(query).unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ingest::prometheus::answer::{Matrix, read};
    use crate::engine::ingest::prometheus::queries::configured;
    use crate::engine::settings::PrometheusSettings;

    fn table() -> (SeriesTable, Query) {
        let settings = PrometheusSettings::default();
        let mut query = configured(&settings).unwrap().remove(0);
        query.is_counter = true;
        (SeriesTable::new("prom".into(), &settings.service_labels, &settings.instance_labels, 15_000), query)
    }

    fn take(table: &mut SeriesTable, query: &Query, poll: u64, offset_ms: i64, result: &str) -> Taken {
        let body = format!(r#"{{"status":"success","data":{{"result":{result}}}}}"#);
        let told = read::<Matrix<'_>>(body.as_bytes()).unwrap();
        let mut taken = Taken::default();
        for entry in &told.data.result {
            table.take((0, query), poll, entry, offset_ms, Timestamp(1_000_000), &mut taken);
        }
        taken
    }

    #[test]
    fn what_cannot_be_taken_is_counted_by_reason() {
        let (mut table, query) = table();
        let taken = take(
            &mut table,
            &query,
            1,
            0,
            r#"[{"metric":{"service":"a"},"values":[[10,"1"],[10,"1"],[9,"1"],[20,"NaN"],[30,"-Inf"],[9999999,"1"],[40,"0.5"]]},
                {"metric":{"colour":"red"},"values":[[10,"1"],[20,"1"]]},
                {"metric":{"service":"a"},"histograms":[[1,{}],[2,{}]]}]"#,
        );
        assert_eq!(taken.samples.len(), 2);
        assert_eq!(taken.notices.len(), 1);
        assert_eq!(taken.counter_reset_count, 1);
        let wanted = [
            (DropReason::NotANumber, 1),
            (DropReason::Infinite, 1),
            (DropReason::Duplicate, 1),
            (DropReason::Late, 1),
            (DropReason::FutureStamp, 1),
            (DropReason::NativeHistogram, 2),
            (DropReason::NoService, 2),
        ];
        assert_eq!(taken.dropped, wanted.into());
    }

    #[test]
    fn a_series_keeps_its_number_and_is_told_once() {
        let (mut table, query) = table();
        let first = take(&mut table, &query, 1, 0, r#"[{"metric":{"service":"a","pod":"x"},"values":[[10,"1"]]}]"#);
        let again = take(
            &mut table,
            &query,
            2,
            0,
            r#"[{"metric":{"service":"b"},"values":[[20,"1"]]},{"metric":{"service":"a","pod":"x"},"values":[[20,"1"]]}]"#,
        );
        assert_eq!(first.notices[0].descriptor.instance.as_deref(), Some("x"));
        assert_eq!(again.notices.len(), 1);
        assert_eq!(again.samples.iter().map(|sample| sample.local).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_series_told_by_two_queries_is_taken_from_the_first() {
        let (mut table, query) = table();
        take(&mut table, &query, 1, 0, r#"[{"metric":{"service":"a"},"values":[[10,"1"]]}]"#);
        let body = br#"{"status":"success","data":{"result":[{"metric":{"service":"a"},"values":[[10,"5"]]}]}}"#;
        let mut taken = Taken::default();
        let told = read::<Matrix<'_>>(body).unwrap();
        table.take((1, &query), 1, &told.data.result[0], 0, Timestamp(1_000_000), &mut taken);
        assert!(taken.samples.is_empty());
        assert_eq!(taken.dropped, [(DropReason::Duplicate, 1)].into());
    }

    #[test]
    fn a_series_that_stays_away_is_gone_and_comes_back_under_its_number() {
        let (mut table, query) = table();
        take(
            &mut table,
            &query,
            1,
            0,
            r#"[{"metric":{"service":"a"},"values":[[10,"1"]]},{"metric":{"service":"b"},"values":[[10,"1"]]}]"#,
        );
        take(&mut table, &query, 4, 0, r#"[{"metric":{"service":"a"},"values":[[40,"1"]]}]"#);
        assert_eq!(table.counts(&[4]), (1, 1));
        let back = take(&mut table, &query, 5, 0, r#"[{"metric":{"service":"b"},"values":[[50,"1"]]}]"#);
        assert_eq!((back.notices.len(), back.samples[0].local), (0, 1));
        assert_eq!(table.counts(&[5]), (2, 0));
    }

    #[test]
    fn a_series_that_stays_away_for_a_day_leaves_its_number_to_another() {
        let (mut table, query) = table();
        let both = r#"[{"metric":{"service":"a"},"values":[[10,"1"]]},{"metric":{"service":"b"},"values":[[10,"1"]]}]"#;
        take(&mut table, &query, 1, 0, both);
        let day = 25 * 240;
        take(&mut table, &query, day + 1, 0, r#"[{"metric":{"service":"a"},"values":[[40,"1"]]}]"#);
        table.forget(&[day + 1]);
        assert_eq!(table.counts(&[day + 1]), (1, 1), "not before its time");
        table.forget(&[day + 2]);
        assert_eq!(table.counts(&[day + 2]), (1, 0));
        let other = take(&mut table, &query, day + 3, 0, r#"[{"metric":{"service":"c"},"values":[[50,"1"]]}]"#);
        assert_eq!((other.notices[0].local, other.samples[0].local), (1, 1));
        let back = take(&mut table, &query, day + 3, 0, r#"[{"metric":{"service":"b"},"values":[[60,"1"]]}]"#);
        assert_eq!((back.notices[0].local, back.dropped.len()), (2, 0), "it is told anew, and not as told twice");
    }

    #[test]
    fn stamps_are_brought_to_our_clock() {
        let (mut table, query) = table();
        let taken = take(&mut table, &query, 1, 3_600_000, r#"[{"metric":{"service":"a"},"values":[[3610,"1"]]}]"#);
        assert_eq!(taken.samples[0].at, Timestamp(10_000));
    }

    #[test]
    fn a_flood_of_labels_is_set_aside_and_long_values_are_cut() {
        let (mut table, query) = table();
        let many: Vec<String> = (0..65).map(|at| format!(r#""l{at}":"v""#)).collect();
        let flood = format!(r#"[{{"metric":{{"service":"a",{}}},"values":[[10,"1"]]}}]"#, many.join(","));
        assert_eq!(take(&mut table, &query, 1, 0, &flood).dropped, [(DropReason::TooMany, 1)].into());
        let long = format!(r#"[{{"metric":{{"service":"a","x":"{}"}},"values":[[10,"1"]]}}]"#, "y".repeat(1_000_000));
        let taken = take(&mut table, &query, 1, 0, &long);
        assert!(taken.notices[0].descriptor.labels.get("x").unwrap().len() <= 4_096);
    }
}
