//! What a change does, against what is complained of: its words, its deeds, and whether it can do anything at all. Of
//! most changes only the title is known; then there is little to say.

use std::collections::BTreeMap;

use super::changes::words::{Bag, rarity};
use super::changes::worth::{Content, Said, worth};
use super::symptoms::ServiceView;
use crate::engine::model::{Change, ChangeId};
use crate::engine::root_cause::case::{Case, NodeId};

/// What the best content can weigh: it may turn a ranking by time and place, and does not decide against both.
const WEIGHT_MAX: f64 = 4.0;
/// What is said by a title alone weighs this much of it: titles are written in the hope of what will happen.
const TITLE_ALONE: f64 = 0.2;
/// What a metric's name or an alert's words tell, against a log line's.
const NAME_WORD: f64 = 0.7;

/// What the contents of the suspects say, by change.
#[derive(Debug, Default)]
pub struct Contents {
    /// What speaks for and against each, in natural-log odds.
    pub reasons: BTreeMap<ChangeId, Vec<(String, f64)>>,
}

impl Contents {
    /// Weighs every suspect against everything that the services show.
    #[must_use]
    pub fn new(changes: &[&Change], case: &Case, hit: &BTreeMap<NodeId, ServiceView<'_>>) -> Self {
        if changes.is_empty() {
            return Self::default();
        }
        let said = said(case, hit);
        let contents: Vec<(ChangeId, Content)> = changes.iter().map(|change| (change.id, read(change))).collect();
        let bags: Vec<Bag> = contents.iter().map(|(_, content)| content.bag.clone()).collect();
        let rarity = rarity(&bags);
        let weighed = contents.iter().map(|(id, content)| {
            let part = if content.is_known || !content.files.is_empty() { 1.0 } else { TITLE_ALONE };
            let reasons = worth(content, &said, &rarity, &[]).reasons;
            let sum: f64 = reasons.iter().map(|(_, weight)| weight * part).sum();
            let part = if sum.abs() > WEIGHT_MAX { part * WEIGHT_MAX / sum.abs() } else { part };
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

fn said(case: &Case, hit: &BTreeMap<NodeId, ServiceView<'_>>) -> Said {
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
    said.settle(hit.keys().map(|node| case.name(*node)));
    said
}
