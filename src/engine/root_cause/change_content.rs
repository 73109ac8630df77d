//! What a change does, against what is complained of: its words, its deeds, and whether it can do anything at all. Of
//! most changes only the title is known; then there is little to say.

use std::collections::BTreeMap;

use super::candidates::Candidate;
use super::evidence::{Findings, of_change};
use super::frame::picture::changes::words::{Bag, rarity};
use super::frame::picture::changes::worth::{Content, Said, worth};
use super::picture::{Picture, ServiceView};
use crate::engine::model::{Change, ChangeId, EvidenceKind, ServiceName};

/// What the best content can weigh: it may turn a ranking by time and place, and does not decide against both.
const WEIGHT_MAX: f64 = 4.0;
/// What is said by a title alone weighs this much of it: titles are written in the hope of what will happen.
const TITLE_ALONE: f64 = 0.2;
/// What a metric's name or an alert's words tell, against a log line's.
const NAME_WORD: f64 = 0.7;

/// What the contents of the suspects say, by change.
#[derive(Debug, Default)]
pub(super) struct Contents {
    reasons: BTreeMap<ChangeId, Vec<(String, f64)>>,
}

impl Contents {
    /// Weighs every suspect against everything that the services show.
    pub(super) fn new(changes: &[&Change], hit: &BTreeMap<&ServiceName, ServiceView<'_>>) -> Self {
        if changes.is_empty() {
            return Self::default();
        }
        let said = said(hit);
        let contents: Vec<(ChangeId, Content)> = changes.iter().map(|change| (change.id, read(change))).collect();
        let bags: Vec<Bag> = contents.iter().map(|(_, content)| content.bag.clone()).collect();
        let rarity = rarity(&bags);
        let weighed = contents.iter().map(|(id, content)| {
            let part = if content.is_known || !content.files.is_empty() { 1.0 } else { TITLE_ALONE };
            let reasons = worth(content, &said, &rarity, &[]).reasons;
            (*id, reasons.into_iter().map(|(text, weight)| (text, weight * part)).collect())
        });
        Self { reasons: weighed.collect() }
    }
}

fn read(change: &Change) -> Content {
    let notice = &change.notice;
    match &notice.content {
        Some(content) => {
            let files: Vec<String> = content.files.iter().map(ToString::to_string).collect();
            Content::read(&notice.title, &files, &content.diff)
        }
        None => Content::read(&notice.title, &[], ""),
    }
}

fn said(hit: &BTreeMap<&ServiceName, ServiceView<'_>>) -> Said {
    let mut said = Said::default();
    for view in hit.values() {
        view.metrics.iter().for_each(|anomaly| said.add(&anomaly.metric, NAME_WORD));
        for (_, text) in view.logs.iter().filter_map(|anomaly| anomaly.template.as_ref()) {
            said.add_line(text);
        }
        for alert in &view.alerts {
            said.add(&alert.notice.name, NAME_WORD);
            said.add(&alert.notice.summary, NAME_WORD);
        }
    }
    said.settle(hit.keys().map(|service| service.as_str()));
    said
}

/// Adds what the candidate's change does.
pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let Some(change) = candidate.change else { return };
    let Some(reasons) = picture.contents.reasons.get(&change.id) else { return };
    let sum: f64 = reasons.iter().map(|(_, weight)| weight).sum();
    let part = if sum.abs() > WEIGHT_MAX { WEIGHT_MAX / sum.abs() } else { 1.0 };
    for (text, weight) in reasons {
        findings.add(EvidenceKind::Change, weight * part, text.clone(), Some(change.notice.at), of_change(change));
    }
}
