//! The names that are known here, followed from picture to picture: what stays is not read again, and only what came or went is
//! written into the book.
//!
//! A picture comes every second, and its topology and its patches are most of its names. Both are shared from one picture to the
//! next, so that whether they may differ is seen without reading them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use super::names::{Kind, Name, NameBook};
use crate::engine::clock::Timestamp;
use crate::engine::model::Topology;
use crate::engine::runbooks::library;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::patches::{Grouping, PatchPicture};

/// Names of one part of a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Part {
    /// By kind, so that a name can be looked for without making one.
    by_kind: [BTreeSet<Arc<str>>; Kind::ALL.len()],
}

impl Part {
    fn add(&mut self, kind: Kind, text: &str) {
        if let Some(names) = self.by_kind.get_mut(kind as usize)
            && !names.contains(text)
        {
            names.insert(Arc::from(text));
        }
    }

    fn names(&self) -> impl Iterator<Item = Name> {
        let of = |(kind, texts)| Self::of_kind(kind, texts);
        Kind::ALL.into_iter().zip(&self.by_kind).flat_map(of)
    }

    fn of_kind(kind: Kind, texts: &BTreeSet<Arc<str>>) -> impl Iterator<Item = Name> {
        texts.iter().map(move |text| Name { kind, text: Arc::clone(text) })
    }

    fn has(&self, name: &Name) -> bool {
        self.by_kind.get(name.kind as usize).is_some_and(|names| names.contains(&name.text))
    }
}

/// Names of a picture, by the part of it that they are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parts {
    calls: Arc<Part>,
    patches: Arc<Part>,
    rest: Arc<Part>,
}

impl Parts {
    fn all(&self) -> [&Arc<Part>; 3] {
        [&self.calls, &self.patches, &self.rest]
    }

    fn has(&self, name: &Name) -> bool {
        self.all().iter().any(|part| part.has(name))
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
    parts: Parts,
    from: Option<ReadFrom>,
}

impl KnownNames {
    /// The names as they can be looked for.
    #[must_use]
    pub fn book(&self) -> &NameBook {
        &self.book
    }

    /// Knows what this picture knows from now on, and nothing else.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let from = self.from.as_ref();
        let has_calls = from.is_some_and(|from| Arc::ptr_eq(&from.topology, &snapshot.topology));
        let has_patches = from.is_some_and(|from| Arc::ptr_eq(&from.patches, &snapshot.patches));
        let is_same = from.is_some_and(|from| (from.revision, from.at) == (snapshot.revision, snapshot.at));
        if is_same && has_calls && has_patches {
            return;
        }
        let keep_or = |is_kept: bool, before: &Arc<Part>, anew: &dyn Fn(&Snapshot) -> Part| {
            if is_kept { Arc::clone(before) } else { Arc::new(anew(snapshot)) }
        };
        let parts = Parts {
            calls: keep_or(has_calls, &self.parts.calls, &of_calls),
            patches: keep_or(has_patches, &self.parts.patches, &of_patches),
            rest: keep_or(false, &self.parts.rest, &of_rest),
        };
        self.turn_to(parts);
        self.from = Some(ReadFrom {
            revision: snapshot.revision,
            at: snapshot.at,
            topology: Arc::clone(&snapshot.topology),
            patches: Arc::clone(&snapshot.patches),
        });
    }

    fn turn_to(&mut self, parts: Parts) {
        for (before, after) in self.parts.all().into_iter().zip(parts.all()) {
            if Arc::ptr_eq(before, after) {
                continue;
            }
            for (kind, (before, after)) in Kind::ALL.into_iter().zip(before.by_kind.iter().zip(&after.by_kind)) {
                for text in before.difference(after) {
                    let name = Name { kind, text: Arc::clone(text) };
                    if !parts.has(&name) {
                        self.book.remove(&name);
                    }
                }
                for text in after.difference(before) {
                    self.book.add(Name { kind, text: Arc::clone(text) });
                }
            }
        }
        self.parts = parts;
    }
}

/// Every name that questions about this picture may speak of.
pub(super) fn all(snapshot: &Snapshot) -> BTreeSet<Name> {
    let parts = [of_calls(snapshot), of_patches(snapshot), of_rest(snapshot)];
    parts.iter().flat_map(Part::names).collect()
}

fn of_calls(snapshot: &Snapshot) -> Part {
    let mut part = Part::default();
    for (caller, callee, _) in snapshot.topology.edges() {
        part.add(Kind::Service, caller.as_str());
        part.add(Kind::Service, callee.as_str());
    }
    part
}

fn of_patches(snapshot: &Snapshot) -> Part {
    let mut part = Part::default();
    let mut said = |kind: Kind, text: &str| {
        if !text.is_empty() {
            part.add(kind, text);
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
    part
}

fn of_rest(snapshot: &Snapshot) -> Part {
    let mut part = Part::default();
    for anomaly in &snapshot.anomalies {
        part.add(Kind::Service, anomaly.service.as_str());
        if let Some(instance) = &anomaly.instance {
            part.add(Kind::Host, instance);
            part.add(Kind::Host, without_port(instance));
        }
    }
    for vital in snapshot.vitals.iter() {
        part.add(Kind::Service, vital.service.as_str());
    }
    of_alerts(snapshot, &mut part);
    for change in &snapshot.changes {
        let notice = &change.notice;
        if let Some(version) = &notice.version {
            // What is named after itself, such as a policy, is spoken of as a change.
            let is_name = version.contains('-');
            part.add(if is_name { Kind::Change } else { Kind::Version }, version);
        }
        if let Some(author) = &notice.author {
            part.add(Kind::Owner, author);
        }
        if let Some(service) = &notice.service {
            part.add(Kind::Service, service.as_str());
        }
    }
    for incident in &snapshot.incidents {
        part.add(Kind::Incident, &incident.id.to_string());
        if let Some(owner) = &incident.owner {
            part.add(Kind::Owner, owner);
        }
        incident.services.keys().for_each(|service| part.add(Kind::Service, service.as_str()));
    }
    let proposed = snapshot.proposals.values().flatten().map(|proposal| &proposal.runbook);
    for runbook in proposed.chain(snapshot.runs.iter().map(|run| &run.runbook)) {
        part.add(Kind::Runbook, &runbook.id);
    }
    library::shipped_pages().iter().for_each(|(name, _)| part.add(Kind::Runbook, name));
    for entry in snapshot.audit.iter().filter(|entry| entry.incident.is_some()) {
        part.add(Kind::Owner, &entry.by);
    }
    part
}

fn of_alerts(snapshot: &Snapshot, part: &mut Part) {
    for alert in &snapshot.alerts {
        part.add(Kind::Alert, &alert.notice.name);
        if let Some(service) = &alert.notice.service {
            part.add(Kind::Service, service.as_str());
        }
        for (label, value) in alert.notice.labels.iter() {
            match label {
                "region" | "zone" | "datacenter" | "cluster" => part.add(Kind::Region, value),
                "instance" | "pod" | "host" | "node" => part.add(Kind::Host, without_port(value)),
                _ => {}
            }
        }
    }
}

fn without_port(instance: &str) -> &str {
    instance.split(':').next().unwrap_or(instance)
}
