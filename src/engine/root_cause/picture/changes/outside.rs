//! What speaks for a cause that is no change: something outside, something that ran out, bad data, a surge, broken iron.

use super::signs::Sign;
use crate::engine::root_cause::case::{Case, Loudness};
use crate::engine::root_cause::picture::kind::{MetricKind, kind_of};
use crate::engine::root_cause::picture::logs::Logs;

/// One thing that speaks for "none of the changes".
#[derive(Debug, Clone, PartialEq)]
pub struct Cue {
    /// In natural-log odds.
    pub weight: f64,
    /// In a line.
    pub text: String,
}

/// A loud template that is new, with its lines.
#[derive(Debug, Clone)]
pub struct Loud {
    /// Its number.
    pub template: usize,
    /// Its lines' words and attributes, as written.
    pub lines: Vec<String>,
    /// Who writes it.
    pub node: usize,
}

/// Lines of one template that are looked at.
const LINES_MAX: usize = 60;

/// New loud templates with their lines, the busiest first.
#[must_use]
pub fn loud(case: &Case, logs: &Logs<'_>) -> Vec<Loud> {
    let mut found: Vec<Loud> = logs
        .new_templates(Loudness::Warning)
        .filter_map(|(template, _)| {
            Some(Loud { template, lines: Vec::new(), node: logs.templates.get(template)?.node })
        })
        .collect();
    for line in &case.now.logs {
        let Ok(at) = found.binary_search_by_key(&(line.template as usize), |loud| loud.template) else { continue };
        let loud = &mut found[at];
        if loud.lines.len() < LINES_MAX {
            loud.lines.push(if line.attrs.is_empty() {
                line.body.clone()
            } else {
                format!("{} {}", line.body, line.attrs)
            });
        }
    }
    found.sort_by(|a, b| b.lines.len().cmp(&a.lines.len()).then(a.template.cmp(&b.template)));
    found
}

/// Phrases of things that run out by the calendar.
const EXPIRED: [&str; 12] = [
    "certificate has expired",
    "certificate expired",
    "cert has expired",
    "cert expired",
    "x509: certificate",
    "certificate is not yet valid",
    "is expired certificate",
    "license expired",
    "licence expired",
    "license has expired",
    "password has expired",
    "subscription expired",
];
/// Phrases of broken or missing iron and of the ground it all stands on.
const IRON: [&str; 25] = [
    "i/o error",
    "input/output error",
    "hardware",
    "machine check",
    "ecc error",
    "bad sector",
    "smart error",
    "node not ready",
    "nodenotready",
    "node lost",
    "link down",
    "carrier lost",
    "power",
    "thermal",
    "host unreachable",
    "instance terminated",
    "spot interruption",
    "preempted",
    "availability zone",
    "region impair",
    "nic ",
    "kernel panic",
    "read error on device",
    "clock skew",
    "ntp",
];
/// Phrases with which somebody else tells that he fails.
const THEIR_FAILURE: [&str; 16] = [
    "serviceunavailable",
    "service unavailable",
    "internalerror",
    "internal server error",
    "slowdown",
    "slow down",
    "(500)",
    "(502)",
    "(503)",
    "(504)",
    "bad gateway",
    "gateway timeout",
    "status 5",
    "upstream provider",
    "provider",
    "degraded",
];
/// Words of data that is not understood.
const BAD_DATA: [&str; 12] = [
    "malformed",
    "invalid",
    "out of range",
    "parse",
    "decode",
    "corrupt",
    "unexpected",
    "schema",
    "validation",
    "deserial",
    "poison",
    "unmarshal",
];
/// Words of data that is delivered again and again.
const REDELIVERED: [&str; 7] =
    ["redeliver", "same offset", "offset", "requeue", "dead letter", "dlq", "commit blocked"];

/// Everything that speaks for "none".
#[must_use]
pub fn cues(case: &Case, loud: &[Loud], signs: &[Sign]) -> Vec<Cue> {
    [expired(loud), elsewhere(case, loud), bad_data(loud), surge(case, signs), iron(loud)]
        .into_iter()
        .flatten()
        .collect()
}

fn any_phrase<'a>(loud: &'a [Loud], phrases: &[&str]) -> Option<(&'a str, usize)> {
    let mut count = 0;
    let mut example = None;
    for line in loud.iter().flat_map(|loud| &loud.lines) {
        let lower = line.to_lowercase();
        if phrases.iter().any(|phrase| lower.contains(phrase)) {
            count += 1;
            example.get_or_insert(line.as_str());
        }
    }
    example.map(|example| (example, count))
}

fn quoted(line: &str) -> String {
    line.chars().take(140).collect()
}

fn expired(loud: &[Loud]) -> Option<Cue> {
    let (line, count) = any_phrase(loud, &EXPIRED)?;
    Some(Cue {
        weight: 5.0,
        text: format!("{count} lines say that something ran out by the calendar: \"{}\"", quoted(line)),
    })
}

fn iron(loud: &[Loud]) -> Option<Cue> {
    let (line, count) = any_phrase(loud, &IRON)?;
    Some(Cue { weight: 2.5, text: format!("{count} lines tell of the machine or the network: \"{}\"", quoted(line)) })
}

/// Host names in a line: three parts or more with dots, the last of letters.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'));
    words.map(|word| word.trim_matches(['.', '-'])).filter(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        let is_name = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-');
        let last_is_word = parts.last().is_some_and(|last| last.len() >= 2 && last.chars().all(char::is_alphabetic));
        parts.len() >= 3 && parts.iter().all(is_name) && last_is_word && word.to_lowercase() == *word
    })
}

/// True for a host of one's own: inside the cluster, or named like a service.
fn is_own(case: &Case, host: &str) -> bool {
    let inside = [".svc", ".local", ".internal", ".cluster", ".consul", ".lan", ".intra"];
    let first = host.split('.').next().unwrap_or(host);
    inside.iter().any(|part| host.ends_with(part) || host.contains(&format!("{part}.")))
        || case.nodes.iter().any(|node| node.name == first)
}

fn elsewhere(case: &Case, loud: &[Loud]) -> Option<Cue> {
    let mut found: std::collections::BTreeMap<String, (usize, std::collections::BTreeSet<usize>, String)> =
        std::collections::BTreeMap::new();
    for (line, node) in loud.iter().flat_map(|loud| loud.lines.iter().map(move |line| (line, loud.node))) {
        let lower = line.to_lowercase();
        if !THEIR_FAILURE.iter().any(|phrase| lower.contains(phrase)) {
            continue;
        }
        let mut named: Vec<&str> = hosts(line).filter(|host| !is_own(case, host)).collect();
        named.sort_unstable();
        named.dedup();
        for host in named {
            let entry =
                found.entry(host.to_owned()).or_insert_with(|| (0, std::collections::BTreeSet::new(), line.clone()));
            entry.0 += 1;
            entry.1.insert(node);
        }
    }
    let (host, (count, nodes, _)) =
        found.into_iter().max_by_key(|(_, (count, _, _))| *count).filter(|(_, (count, _, _))| *count >= 3)?;
    let several = if nodes.len() > 1 { 1.5 } else { 0.0 };
    let text = format!(
        "{count} lines of {} services: {host}, which is none of ours, answers with failures of its own",
        nodes.len()
    );
    Some(Cue { weight: 3.5 + several, text })
}

/// True for a word that identifies one thing: many digits, or digits and letters mixed at length.
fn is_identity(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    word.len() >= 6 && digits >= 5
        || (word.len() >= 8
            && digits >= 2
            && word.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !word.contains('.'))
}

/// Many lines about one and the same record.
fn bad_data(loud: &[Loud]) -> Option<Cue> {
    for one in loud.iter().filter(|one| one.lines.len() >= 5) {
        let Some(first) = one.lines.first() else { continue };
        let lower = first.to_lowercase();
        if !BAD_DATA.iter().any(|word| lower.contains(word)) {
            continue;
        }
        let words = first.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_' || c == '.'));
        let same: Vec<&str> =
            words.filter(|word| is_identity(word) && one.lines.iter().all(|line| line.contains(word))).collect();
        if let Some(word) = same.first() {
            let again = if REDELIVERED.iter().any(|phrase| lower.contains(phrase)) { 1.5 } else { 0.0 };
            let text =
                format!("all {} lines are about the same record ({word}): \"{}\"", one.lines.len(), quoted(first));
            return Some(Cue { weight: 3.5 + again, text });
        }
    }
    None
}

/// More requests than ever from outside: at a service that nobody calls.
fn surge(case: &Case, signs: &[Sign]) -> Option<Cue> {
    let first = signs.first()?.at;
    let is_entry = |node: usize| !case.calls.iter().any(|(_, callee)| *callee == node);
    let of_traffic = signs.iter().filter(|sign| is_entry(sign.node) && sign.at <= first + 180.0);
    let mut of_traffic = of_traffic.filter(|sign| {
        let metric = sign.what.split(' ').nth(1).unwrap_or("");
        let grew = sign.levels.is_some_and(|(before, now)| before > 0.0 && now >= 1.8 * before);
        grew && kind_of(metric) == MetricKind::Traffic && !metric.contains("error") && !metric.contains("fail")
    });
    of_traffic.next().map(|sign| Cue { weight: 2.5, text: format!("more comes from outside: {}", sign.what) })
}
