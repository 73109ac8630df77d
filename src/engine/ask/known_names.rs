//! The names that are known here, followed from picture to picture: what stays is not read again, and only what came or went is
//! written into the book.
//!
//! A picture comes every second, and its topology and its patches are most of its names. Both are shared from one picture to the
//! next, so that whether they may differ is seen without reading them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::{Kind, Name, NameBook};
use crate::engine::clock::Timestamp;
use crate::engine::model::{Alert, Anomaly, Topology};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::patches::{Grouping, PatchPicture};

/// Names of one part of a picture, each with the reading in which it was seen last. In which order they lie decides nothing: a
/// book is the same in whatever order names come and go.
#[derive(Debug, Clone, Default)]
struct Part {
    by_kind: [FxHashMap<Arc<str>, u32>; Kind::ALL.len()],
    reading: u32,
    /// Names that this reading has seen so far, and those of them that are new.
    seen_count: usize,
    added: Vec<Name>,
}

impl Part {
    fn see(&mut self, kind: Kind, text: &str) {
        let Some(names) = self.by_kind.get_mut(kind as usize) else { return };
        match names.get_mut(text) {
            Some(seen) => {
                self.seen_count += usize::from(*seen != self.reading);
                *seen = self.reading;
            }
            None => {
                let text: Arc<str> = Arc::from(text);
                names.insert(Arc::clone(&text), self.reading);
                self.seen_count += 1;
                self.added.push(Name { kind, text });
            }
        }
    }

    /// Reads the part anew; gives the names that came and those that went.
    fn read(&mut self, snapshot: &Snapshot, read: fn(&Snapshot, &mut Self)) -> (Vec<Name>, Vec<Name>) {
        self.reading = self.reading.wrapping_add(1);
        self.seen_count = 0;
        read(snapshot, self);
        let mut gone = Vec::new();
        if self.seen_count < self.by_kind.iter().map(FxHashMap::len).sum() {
            for (kind, names) in Kind::ALL.into_iter().zip(&mut self.by_kind) {
                names.retain(|text, seen| {
                    let stays = *seen == self.reading;
                    if !stays {
                        gone.push(Name { kind, text: Arc::clone(text) });
                    }
                    stays
                });
            }
        }
        (std::mem::take(&mut self.added), gone)
    }

    fn has(&self, name: &Name) -> bool {
        self.by_kind.get(name.kind as usize).is_some_and(|names| names.contains_key(&name.text))
    }

    fn names(&self) -> impl Iterator<Item = Name> {
        names_of(&self.by_kind)
    }
}

/// Names that the entries of a list mention, with how often. Of the list only what differs from the one before is read.
#[derive(Debug, Clone)]
struct Mentions<T> {
    entries: Vec<Arc<T>>,
    by_kind: [FxHashMap<Arc<str>, u32>; Kind::ALL.len()],
}

impl<T> Default for Mentions<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_kind: Default::default() }
    }
}

/// Something that mentions names.
trait Mentioning {
    /// Every name that it mentions.
    fn each(&self, take: &mut dyn FnMut(Kind, &str));
    /// True where another one mentions the very same; may be wrong in saying that it does not.
    fn mentions_same(&self, other: &Self) -> bool;
}

impl<T: Mentioning> Mentions<T> {
    /// Takes another list in place of the one before; adds to the names that came and to those that went.
    fn turn_to(&mut self, entries: &[Arc<T>], added: &mut Vec<Name>, gone: &mut Vec<Name>) {
        let is_same = |(one, other): &(&Arc<T>, &Arc<T>)| Arc::ptr_eq(one, other) || one.mentions_same(other);
        let before = std::mem::take(&mut self.entries);
        let head = before.iter().zip(entries).take_while(is_same).count();
        let (old, new) = (before.get(head..).unwrap_or_default(), entries.get(head..).unwrap_or_default());
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(is_same).count();
        let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
        let mut came: Vec<&Arc<T>> = Vec::new();
        let mut went: Vec<&Arc<T>> = Vec::new();
        if old.len() == new.len() {
            for (one, other) in old.iter().zip(new).filter(|pair| !is_same(pair)) {
                went.push(one);
                came.push(other);
            }
        } else {
            let set = |all: &[Arc<T>]| all.iter().map(Arc::as_ptr).collect::<FxHashSet<_>>();
            let (had, has) = (set(old), set(new));
            went.extend(old.iter().filter(|entry| !has.contains(&Arc::as_ptr(entry))));
            came.extend(new.iter().filter(|entry| !had.contains(&Arc::as_ptr(entry))));
        }
        for entry in came {
            entry.each(&mut |kind, text| self.count_up(kind, text, added));
        }
        for entry in went {
            entry.each(&mut |kind, text| self.count_down(kind, text, gone));
        }
        self.entries = entries.to_vec();
    }

    fn count_up(&mut self, kind: Kind, text: &str, added: &mut Vec<Name>) {
        let Some(names) = self.by_kind.get_mut(kind as usize) else { return };
        if let Some(count) = names.get_mut(text) {
            *count += 1;
            return;
        }
        let text: Arc<str> = Arc::from(text);
        names.insert(Arc::clone(&text), 1);
        added.push(Name { kind, text });
    }

    fn count_down(&mut self, kind: Kind, text: &str, gone: &mut Vec<Name>) {
        let Some(names) = self.by_kind.get_mut(kind as usize) else { return };
        if let Some(count) = names.get_mut(text) {
            *count -= 1;
            if *count == 0 {
                names.remove(text);
                gone.push(Name { kind, text: Arc::from(text) });
            }
        }
    }

    fn has(&self, name: &Name) -> bool {
        self.by_kind.get(name.kind as usize).is_some_and(|names| names.contains_key(&name.text))
    }

    fn names(&self) -> impl Iterator<Item = Name> {
        names_of(&self.by_kind)
    }
}

fn names_of(by_kind: &[FxHashMap<Arc<str>, u32>; Kind::ALL.len()]) -> impl Iterator<Item = Name> {
    let of = |(kind, texts): (Kind, &FxHashMap<Arc<str>, u32>)| {
        texts.keys().map(|text| Name { kind, text: Arc::clone(text) }).collect::<Vec<_>>()
    };
    Kind::ALL.into_iter().zip(by_kind).flat_map(of)
}

impl Mentioning for Anomaly {
    fn each(&self, take: &mut dyn FnMut(Kind, &str)) {
        take(Kind::Service, self.service.as_str());
        if let Some(instance) = &self.instance {
            take(Kind::Host, instance);
            take(Kind::Host, without_port(instance));
        }
    }

    fn mentions_same(&self, other: &Self) -> bool {
        self.service == other.service && self.instance == other.instance
    }
}

impl Mentioning for Alert {
    fn each(&self, take: &mut dyn FnMut(Kind, &str)) {
        take(Kind::Alert, &self.notice.name);
        if let Some(service) = &self.notice.service {
            take(Kind::Service, service.as_str());
        }
        for (label, value) in self.notice.labels.iter() {
            match label {
                "region" | "zone" | "datacenter" | "cluster" => take(Kind::Region, value),
                "instance" | "pod" | "host" | "node" => take(Kind::Host, without_port(value)),
                _ => {}
            }
        }
    }

    fn mentions_same(&self, other: &Self) -> bool {
        let (one, other) = (&self.notice, &other.notice);
        one.name == other.name && one.service == other.service && one.labels == other.labels
    }
}

/// Which picture names were read from.
#[derive(Debug, Clone)]
struct ReadFrom {
    revision: u64,
    at: Timestamp,
    topology: Arc<Topology>,
    patches: Arc<PatchPicture>,
}

/// The names that are known.
#[derive(Debug, Clone, Default)]
pub struct KnownNames {
    book: NameBook,
    calls: Part,
    patches: Part,
    rest: Part,
    anomalies: Mentions<Anomaly>,
    alerts: Mentions<Alert>,
    from: Option<ReadFrom>,
}

impl KnownNames {
    /// The names as they can be looked for.
    #[must_use]
    pub fn book(&self) -> &NameBook {
        &self.book
    }

    /// Every name, in order.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Name> {
        let parts = [&self.calls, &self.patches, &self.rest].into_iter().flat_map(Part::names);
        parts.chain(self.anomalies.names()).chain(self.alerts.names()).collect()
    }

    /// Knows what this picture knows from now on, and nothing else.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let from = self.from.as_ref();
        let has_topology = from.is_some_and(|from| Arc::ptr_eq(&from.topology, &snapshot.topology));
        // A call that was seen again makes a new topology of the same services.
        let has_calls = has_topology || from.is_some_and(|from| from.topology.has_services_of(&snapshot.topology));
        let has_patches = from.is_some_and(|from| Arc::ptr_eq(&from.patches, &snapshot.patches));
        let is_same = from.is_some_and(|from| (from.revision, from.at) == (snapshot.revision, snapshot.at));
        if is_same && has_topology && has_patches {
            return;
        }
        let (mut added, mut gone) = self.rest.read(snapshot, of_rest);
        self.anomalies.turn_to(&snapshot.anomalies, &mut added, &mut gone);
        self.alerts.turn_to(&snapshot.alerts, &mut added, &mut gone);
        for (is_kept, part, read) in [
            (has_calls, &mut self.calls, of_calls as fn(&Snapshot, &mut Part)),
            (has_patches, &mut self.patches, of_patches),
        ] {
            if !is_kept {
                let (came, went) = part.read(snapshot, read);
                added.extend(came);
                gone.extend(went);
            }
        }
        for name in gone {
            let in_part = [&self.calls, &self.patches, &self.rest].iter().any(|part| part.has(&name));
            if !in_part && !self.anomalies.has(&name) && !self.alerts.has(&name) {
                self.book.remove(&name);
            }
        }
        added.into_iter().for_each(|name| self.book.add(name));
        self.from = Some(ReadFrom {
            revision: snapshot.revision,
            at: snapshot.at,
            topology: Arc::clone(&snapshot.topology),
            patches: Arc::clone(&snapshot.patches),
        });
    }
}

fn of_calls(snapshot: &Snapshot, part: &mut Part) {
    snapshot.topology.each_service(|service| part.see(Kind::Service, service.as_str()));
}

fn of_patches(snapshot: &Snapshot, part: &mut Part) {
    let mut said = |kind: Kind, text: &str| {
        if !text.is_empty() {
            part.see(kind, text);
        }
    };
    let mut id = String::new();
    for patch in &snapshot.patches.patches {
        said(Kind::Package, &patch.package);
        for advisory in &patch.advisories {
            id.clear();
            // Writing into a text has no errors.
            let _ = write!(id, "{}", advisory.id);
            said(Kind::Advisory, &id);
        }
        for asset in &patch.assets {
            said(Kind::Host, &asset.name);
            said(Kind::Ring, &asset.ring);
            said(Kind::Owner, &asset.owner);
        }
    }
    // A patch lists a dozen of its machines; the groupings have the rest.
    for groups in &snapshot.patches.groups {
        let kind = match groups.by {
            Grouping::Asset => Kind::Host,
            Grouping::Ring => Kind::Ring,
            Grouping::Owner => Kind::Owner,
            Grouping::Advisory => Kind::Advisory,
            Grouping::Patch => continue,
        };
        groups.rows.iter().for_each(|row| said(kind, &row.name));
    }
}

fn of_rest(snapshot: &Snapshot, part: &mut Part) {
    for vital in snapshot.vitals.iter() {
        part.see(Kind::Service, vital.service.as_str());
    }
    for change in &snapshot.changes {
        let notice = &change.notice;
        if let Some(version) = &notice.version {
            // What is named after itself, such as a policy, is spoken of as a change.
            let is_name = version.contains('-');
            part.see(if is_name { Kind::Change } else { Kind::Version }, version);
        }
        if let Some(author) = &notice.author {
            part.see(Kind::Owner, author);
        }
        if let Some(service) = &notice.service {
            part.see(Kind::Service, service.as_str());
        }
    }
    for incident in &snapshot.incidents {
        part.see(Kind::Incident, &incident.id.to_string());
        if let Some(owner) = &incident.owner {
            part.see(Kind::Owner, owner);
        }
        incident.services.keys().for_each(|service| part.see(Kind::Service, service.as_str()));
    }
    let proposed = snapshot.proposals.values().flatten().map(|proposal| &proposal.runbook);
    for runbook in proposed.chain(snapshot.runs.iter().map(|run| &run.runbook)) {
        part.see(Kind::Runbook, &runbook.id);
    }
    snapshot.runbooks.iter().for_each(|page| part.see(Kind::Runbook, &page.id));
    for entry in snapshot.audit.iter().filter(|entry| entry.incident.is_some()) {
        part.see(Kind::Owner, &entry.by);
    }
}

fn without_port(instance: &str) -> &str {
    instance.split(':').next().unwrap_or(instance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::engine::model::{EdgeNotice, EdgeOrigin, SeriesRole, ServiceName};
    use crate::engine::runbooks::Library;
    use crate::engine::world::fixtures;

    const NAMES: [&str; 6] = ["cart", "orders-db", "auth", "web", "search", "mail"];

    /// A picture of these calls and these anomalies, by the numbers of their services.
    fn picture(revision: u64, calls: &[(usize, usize)], anomalies: &[usize]) -> Snapshot {
        let mut topology = Topology::default();
        for (caller, callee) in calls {
            topology.observe(&EdgeNotice {
                source: "mesh".into(),
                caller: ServiceName::new(NAMES[*caller]),
                callee: ServiceName::new(NAMES[*callee]),
                origin: EdgeOrigin::Discovered,
                seen_at: Timestamp(i64::try_from(revision).unwrap()),
            });
        }
        let of = |at: &usize| {
            let mut anomaly = fixtures::anomaly(*at as u64, NAMES[*at], "errors", SeriesRole::Errors, 0);
            anomaly.instance = Some(Arc::from(format!("{}-7:9100", NAMES[*at])));
            Arc::new(anomaly)
        };
        let topology = Arc::new(topology);
        Snapshot { revision, topology, anomalies: anomalies.iter().map(of).collect(), ..Snapshot::empty() }
    }

    fn found(book: &NameBook) -> Vec<String> {
        let tried = ["cart", "ordersdb", "auth", "web7", "serach", "mali", "ordrsdb", "cartt", "mail79100", "authh"];
        let of = |word: &str| format!("{:?} {:?}", book.exact(word).collect::<Vec<_>>(), book.guessed(word));
        let alike = |word: &str| format!("{:?}", book.alike(word, Kind::Host, 3));
        tried.iter().map(|word| of(word) + &alike(word)).collect()
    }

    proptest! {
        #[test]
        fn names_that_were_followed_are_those_that_are_read_anew(
            pictures in proptest::collection::vec((
                proptest::collection::vec((0..6_usize, 0..6_usize), 0..6),
                proptest::collection::vec(0..6_usize, 0..4),
                any::<bool>(),
            ), 1..8),
        ) {
            let mut followed = KnownNames::default();
            let mut before: Option<Snapshot> = None;
            for (revision, (calls, anomalies, keeps_calls)) in pictures.iter().enumerate() {
                let mut snapshot = picture(revision as u64, calls, anomalies);
                if let Some(before) = before.as_ref().filter(|_| *keeps_calls) {
                    snapshot.topology = Arc::clone(&before.topology);
                }
                followed.follow(&snapshot);
                let mut anew = KnownNames::default();
                anew.follow(&snapshot);
                prop_assert_eq!(followed.all(), anew.all());
                prop_assert_eq!(found(followed.book()), found(anew.book()));
                before = Some(snapshot);
            }
        }
    }

    #[test]
    fn instances_and_runbooks_are_names() {
        let mut known = KnownNames::default();
        let runbooks = Arc::new(Library::shipped().told());
        known.follow(&Snapshot { runbooks, ..picture(1, &[(0, 1)], &[2]) });
        for (kind, name) in [
            (Kind::Service, "orders-db"),
            (Kind::Host, "auth-7:9100"),
            (Kind::Host, "auth-7"),
            (Kind::Runbook, "rollback-deploy"),
        ] {
            assert!(known.book().has(kind, name), "{name}");
        }
    }
}
