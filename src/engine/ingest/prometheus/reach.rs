//! Which queries the history that is known is of: kept between two lives of the program, so that a query that is added to the
//! configuration gets its past read as well. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::queries::Query;
use crate::engine::clock::Timestamp;
use crate::engine::model::series::Fnv1a;

/// The queries of the life before, each by what tells its series apart from those of another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Its history is known up to this instant only; `None` for those that are as far as the source.
    queries: BTreeMap<String, Option<Timestamp>>,
}

impl Reach {
    /// Reads what [`Reach::to_text`] wrote; anything else counts as nothing known of queries.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is kept: JSON.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// How far the history of `query` is known.
    #[must_use]
    pub fn of(&self, query: &Query) -> Reached {
        match self.queries.get(&key(query)) {
            Some(None) => Reached::AsTheSource,
            Some(Some(until)) => Reached::Until(*until),
            None => Reached::Nothing,
        }
    }

    /// The history of `query` is known up to `until`, or as far as that of the source.
    pub fn set(&mut self, query: &Query, until: Option<Timestamp>) {
        self.queries.insert(key(query), until);
    }
}

/// How far the history of one query is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// As far as the source's.
    AsTheSource,
    /// Up to here; reading it was cut off.
    Until(Timestamp),
    /// Not at all.
    Nothing,
}

/// Another expression has another past, and another name makes other series.
fn key(query: &Query) -> String {
    let mut hash = Fnv1a::new();
    hash.part(&query.metric);
    hash.part(&query.expr);
    hash.part(query.service.as_ref().map_or("", |service| service.as_str()));
    format!("{:016x}", hash.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ingest::prometheus::queries::configured;
    use crate::engine::settings::PrometheusSettings;

    #[test]
    fn it_reads_back_and_knows_each_query_by_name_expression_and_service() {
        let queries = configured(&PrometheusSettings::default()).unwrap();
        let mut reach = Reach::default();
        reach.set(&queries[0], None);
        reach.set(&queries[1], Some(Timestamp(7)));
        let reach = Reach::from_text(&reach.to_text().unwrap()).unwrap();
        assert_eq!(reach.of(&queries[0]), Reached::AsTheSource);
        assert_eq!(reach.of(&queries[1]), Reached::Until(Timestamp(7)));
        assert_eq!(reach.of(&queries[2]), Reached::Nothing);
        for changed in [
            Query { metric: "other".to_owned(), ..queries[0].clone() },
            Query { expr: "other".to_owned(), ..queries[0].clone() },
            Query { service: Some("other".into()), ..queries[0].clone() },
        ] {
            assert_eq!(reach.of(&changed), Reached::Nothing, "{changed:?}");
        }
        assert_eq!(Reach::from_text("{\"offset\":4}"), None);
    }
}
