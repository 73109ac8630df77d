//! Which hosts a playbook would work on, as `ansible-playbook --list-hosts` tells before anything is done.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use super::super::Attempt;
use super::super::process::{self, Program};
use crate::engine::ingest::normalize::sanitize;

/// Longest wait for the list; large inventories are asked for over the network.
const LIST_MS_MAX: u64 = 60_000;
/// Longest list.
const LIST_BYTES_MAX: u64 = 4 << 20;

/// Refuses a playbook that would work on more hosts than the step allows, on none, or on nobody knows how many.
pub(super) async fn check(program: &Program, attempt: &Attempt) -> Result<(), String> {
    let Some(most) = attempt.targets_max else { return Ok(()) };
    let arguments = program.arguments.iter().cloned().chain([OsString::from("--list-hosts")]).collect();
    let asks = Program { path: program.path.clone(), arguments, environment: program.environment.clone() };
    let limit = attempt.left().min(Duration::from_millis(LIST_MS_MAX));
    let cannot = |why: &str| format!("its hosts could not be counted ({why}), so nothing was done");
    let looked = tokio::select! {
        looked = process::look(&asks, limit, LIST_BYTES_MAX) => looked.map_err(|problem| cannot(&problem))?,
        () = attempt.stop.notified() => return Err("stopped by a person before anything was begun".to_owned()),
    };
    if looked.code != Some(0) {
        let said = looked.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(cannot(&sanitize(said, 512)));
    }
    let text = String::from_utf8_lossy(&looked.stdout);
    let hosts = listed(&text).ok_or_else(|| cannot("the list cannot be read"))?;
    if hosts.is_empty() {
        return Err("no host matched the limit and the playbook's own hosts, so nothing was done".to_owned());
    }
    attempt.within(most, hosts.len(), "hosts")
}

/// The hosts of every play together; `None` where the text is no such list.
fn listed(text: &str) -> Option<BTreeSet<&str>> {
    let mut hosts = BTreeSet::new();
    let mut has_play = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(count) = line.trim().strip_prefix("hosts (").and_then(|rest| rest.strip_suffix("):")) else {
            continue;
        };
        has_play = true;
        for _ in 0..count.parse::<usize>().ok()? {
            hosts.insert(lines.next().map(str::trim).filter(|name| !name.is_empty())?);
        }
    }
    has_play.then_some(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_all_plays_are_counted_once_and_half_a_list_is_none() {
        let text = "\nplaybook: /x.yml\n\n  play #1 (all): all\tTAGS: []\n    pattern: ['all']\n    hosts (2):\n      web-2\n      web-1\n\n  play #2 (web): web\tTAGS: []\n    hosts (1):\n      web-1\n";
        assert_eq!(listed(text), Some(BTreeSet::from(["web-1", "web-2"])));
        assert_eq!(listed("  play #1\n    hosts (0):\n"), Some(BTreeSet::new()));
        assert_eq!(listed("    hosts (2):\n      web-1\n"), None);
        assert_eq!(listed("    hosts (x):\n"), None);
        assert_eq!(listed("[WARNING]: something else\n"), None);
    }
}
