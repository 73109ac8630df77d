//! What words show by their form: advisories, versions, regions; and what the classifier sees in their place.

use super::Mention;
use crate::engine::ask::metric::Concept;
use crate::engine::ask::names::Kind;
use crate::engine::ask::time::expression::TimeExpression;

/// What the classifier sees in place of a mention.
pub(super) fn placeholder(mention: &Mention) -> &'static str {
    match mention {
        Mention::Time(expression, _) => match expression {
            TimeExpression::Now => "<now>",
            TimeExpression::Next(_) => "<ahead>",
            TimeExpression::Before(_) => "<before>",
            _ => "<time>",
        },
        Mention::Names(names) => match names.first().map(|name| name.kind) {
            Some(Kind::Host) => "<host>",
            Some(Kind::Region) => "<region>",
            Some(Kind::Runbook) => "<runbook>",
            Some(Kind::Alert) => "<alert>",
            Some(Kind::Package) => "<package>",
            Some(Kind::Ring) => "<ring>",
            Some(Kind::Owner) => "<owner>",
            Some(Kind::Change) => "<change>",
            Some(Kind::Version) => "<version>",
            Some(Kind::Incident) => "<incident>",
            Some(Kind::Advisory) => "<advisory>",
            Some(Kind::Service) | None => "<service>",
        },
        Mention::Metric(concept, _) => match concept {
            Concept::Latency => "<latency>",
            Concept::Errors | Concept::ConnectErrors => "<errors>",
            Concept::Traffic => "<traffic>",
            Concept::Cpu => "<cpu>",
            Concept::Memory => "<memory>",
            Concept::Disk => "<disk>",
            Concept::Connections => "<connections>",
            Concept::Queue => "<backlog>",
            Concept::Availability => "<availability>",
        },
        Mention::Advisory(_) => "<advisory>",
        Mention::Incident(_) => "<incident>",
        Mention::Version(_) => "<version>",
        Mention::Region(_) => "<region>",
        Mention::Severity(_) => "<severity>",
        Mention::Number(_) => "<number>",
        Mention::Step(_) => "<number>",
    }
}

pub(super) fn is_advisory(word: &str) -> bool {
    let lead = word.split('-').next().unwrap_or_default();
    matches!(lead, "cve" | "dsa" | "usn" | "ghsa" | "rhsa" | "dla") && word.len() > lead.len() + 1
}

/// `v5.3`, `1.2.3`; a bare number is none.
pub(super) fn is_version(word: &str) -> bool {
    let rest = word.strip_prefix('v').unwrap_or(word);
    let is_digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let parts = rest.split('.').count();
    rest.split('.').all(is_digits) && (rest.len() < word.len() || parts > 2)
}

/// `eu-1`, `us-east-2`, `eu`.
pub(super) fn is_region(word: &str) -> bool {
    let mut parts = word.split('-');
    let area = parts.next().unwrap_or_default();
    let is_area = matches!(
        area,
        "eu" | "us" | "ap" | "sa" | "af" | "me" | "ca" | "apac" | "emea" | "west" | "east" | "north" | "south"
    );
    is_area && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()))
}
