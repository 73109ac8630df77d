//! How good the search for similar incidents is: kinds of failure that come again, in the shop, at the same and at other places.
//!
//! `cargo bench --bench recall` plays every kind of failure at every place of `demo::recurrences` with two seeds, through the whole
//! engine. What an incident is like is asked 100 s after it began; all others, as they were after five minutes, are what is
//! searched. The archive and the query see digests alone; what kind of failure each was is known to the figures only. The same is
//! measured once more with nothing in a digest that root cause said: neither cause nor title, and where it was seen first in
//! place of where it began.

use std::collections::BTreeSet;

use hypocenter::engine::ask::recall::{Archive, Digest, Query};
use hypocenter::engine::clock::{DAY_MS, Timestamp};
use hypocenter::engine::demo::headless::{self, Approve, Drill};
use hypocenter::engine::demo::recurrences::{self, Recurrence};
use hypocenter::engine::model::{IncidentId, ServiceName, Topology};

const START: Timestamp = Timestamp(1_794_925_800_000);
const SEEDS: [u64; 2] = [1, 2];
const EARLY_MS: i64 = 100_000;
const LATE_MS: i64 = 300_000;
const K: usize = 5;

/// One incident with its label.
struct Played {
    of: &'static Recurrence,
    early: Option<Digest>,
    late: Option<Digest>,
}

/// The largest incident of a drill, under a number and a day of its own.
fn play(of: &'static Recurrence, seed: u64, number: u64, lasts_ms: i64) -> Option<(Digest, Topology)> {
    let start = START + i64::try_from(number).unwrap_or(0) * DAY_MS;
    let drill = Drill { lasts_ms, ..Drill::new(&of.scenario, seed, start, Approve::None) };
    let (_, snapshot) = headless::run(&drill, &mut |_| {}).ok()?;
    let incident = snapshot.incidents.iter().max_by_key(|incident| (incident.folded_count, incident.id))?;
    let digest = Digest { id: IncidentId(number), ..Digest::of_picture(&snapshot, incident) };
    Some((digest, snapshot.topology.as_ref().clone()))
}

#[derive(Default)]
struct Figures {
    asked: usize,
    first: usize,
    among: usize,
    right: usize,
    told: usize,
    reciprocal: f64,
}

impl Figures {
    fn take(&mut self, right: &[bool]) {
        self.asked += 1;
        self.first += usize::from(right.first() == Some(&true));
        self.among += usize::from(right.iter().take(K).any(|is| *is));
        self.right += right.iter().take(K).filter(|is| **is).count();
        self.told += right.len().min(K);
        self.reciprocal += right.iter().position(|is| *is).map_or(0.0, |at| 1.0 / (at + 1) as f64);
    }

    fn tell(&self, what: &str) {
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        println!(
            "{what:<58} {:>4} asked   first {:.2}   recall@5 {:.2}   precision@5 {:.2}   MRR {:.2}",
            self.asked,
            share(self.first, self.asked),
            share(self.among, self.asked),
            share(self.right, self.told),
            self.reciprocal / self.asked.max(1) as f64,
        );
    }
}

/// The plain way: those with the most services in common, by Jaccard's index, the newest first.
fn by_services(asked: &Digest, past: &[&Played]) -> Vec<usize> {
    let set = |digest: &Digest| digest.services.iter().cloned().collect::<BTreeSet<ServiceName>>();
    let mine = set(asked);
    let mut order: Vec<(f64, usize)> = past
        .iter()
        .enumerate()
        .filter_map(|(at, played)| {
            let its = set(played.late.as_ref()?);
            let both = mine.intersection(&its).count();
            Some((both as f64 / (mine.len() + its.len() - both).max(1) as f64, at))
        })
        .collect();
    order.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)));
    order.into_iter().filter(|(likeness, _)| *likeness > 0.0).map(|(_, at)| at).collect()
}

/// A digest without what root cause said.
fn unexplained(digest: &Digest) -> Digest {
    Digest {
        cause: None,
        title: "".into(),
        origin: digest.signs.first().map(|sign| sign.service.clone()),
        ..digest.clone()
    }
}

fn by_archive(asked: &Digest, past: &[&Played], topology: &Topology) -> Vec<usize> {
    let mut archive = Archive::default();
    past.iter().filter_map(|played| played.late.as_ref()).for_each(|digest| archive.put(digest));
    let (alike, _) = archive.alike(&Query::like(asked, topology), None, 0.0, K);
    let at = |id: IncidentId| past.iter().position(|played| played.late.as_ref().is_some_and(|late| late.id == id));
    alike.iter().filter_map(|alike| at(alike.past.id)).collect()
}

fn main() {
    let mut all: Vec<Played> = Vec::new();
    let mut topology = Topology::default();
    for seed in SEEDS {
        for of in recurrences::all() {
            let number = all.len() as u64 + 1;
            let early = play(of, seed, number, EARLY_MS).map(|(digest, _)| digest);
            let late = play(of, seed, number, LATE_MS);
            if let Some((_, its)) = &late {
                topology = its.clone();
            }
            all.push(Played { of, early, late: late.map(|(digest, _)| digest) });
        }
    }
    let kept = all.iter().filter(|played| played.late.is_some()).count();
    println!("{} drills of {} kinds, {kept} with an incident", all.len(), {
        all.iter().map(|played| played.of.class).collect::<BTreeSet<_>>().len()
    });
    type Left = fn(&Played, &Played) -> bool;
    let searched: [(&str, Left); 2] = [
        ("all others", |one, other| !std::ptr::eq(one, other)),
        ("those that began elsewhere", |one, other| one.of.service != other.of.service),
    ];
    for (what, is_left) in searched {
        for (when, digest) in [("after 100 s", true), ("after 300 s", false)] {
            let (mut plain, mut archive, mut unexplained_ones) =
                (Figures::default(), Figures::default(), Figures::default());
            for asked in &all {
                let Some(query) = (if digest { asked.early.as_ref() } else { asked.late.as_ref() }) else { continue };
                let past: Vec<&Played> = all.iter().filter(|other| is_left(asked, other)).collect();
                if !past.iter().any(|other| other.of.class == asked.of.class && other.late.is_some()) {
                    continue;
                }
                let right = |found: Vec<usize>| -> Vec<bool> {
                    found.into_iter().map(|at| past.get(at).is_some_and(|it| it.of.class == asked.of.class)).collect()
                };
                plain.take(&right(by_services(query, &past)));
                let told = right(by_archive(query, &past, &topology));
                if std::env::var_os("HYPO_RECALL_CASES").is_some() && told.first() != Some(&true) {
                    println!("  {} at {}: {told:?}", asked.of.class, asked.of.service);
                }
                archive.take(&told);
                let bare: Vec<Played> = past
                    .iter()
                    .map(|it| Played { of: it.of, early: None, late: it.late.as_ref().map(unexplained) })
                    .collect();
                unexplained_ones.take(&right(by_archive(
                    &unexplained(query),
                    &bare.iter().collect::<Vec<_>>(),
                    &topology,
                )));
            }
            plain.tell(&format!("{what}, {when}: by services in common"));
            archive.tell(&format!("{what}, {when}: by the archive"));
            unexplained_ones.tell(&format!("{what}, {when}: without root cause"));
        }
    }
}
