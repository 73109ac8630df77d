//! Debian's packages by `apt-get`: only what is there already is upgraded, nothing is removed, configuration that somebody
//! changed stays.

use std::sync::Arc;

use super::{Calls, Job, Move, Reach};
use crate::engine::model::OnlyNames;

/// Seconds for which another package manager's lock is waited for.
const LOCK_WAIT: &str = "DPkg::Lock::Timeout=120";
/// What is printed of each package; all of them make one line.
const FORMAT: &str = "${Package}:${Architecture}=${Version}=${db:Status-Status};";
/// What every way of installing is told.
const OPTIONS: [&str; 8] = [
    "-y",
    "--no-remove",
    "--no-install-recommends",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-q",
];

pub(super) fn calls(job: &Job, reach: &Reach) -> Calls {
    let mut moves = job.moves.clone();
    // As dpkg-query sorts them.
    moves.sort();
    let to = |it: &Move| format!("{}={}", full_name(it), it.to);
    let from = |it: &Move| format!("{}={}", full_name(it), it.from);
    let apt = |options: &[&str], wanted: &dyn Fn(&Move) -> String| -> Vec<Arc<str>> {
        let words = ["apt-get"].iter().chain(options).chain(&OPTIONS).map(|word| Arc::from(*word));
        words.chain(["install"].map(Arc::from)).chain(moves.iter().map(|it| wanted(it).into())).collect()
    };
    let query = ["dpkg-query", "-W", "-f", FORMAT].map(Arc::from).into_iter();
    let first = moves.first();
    let shown = first.map_or_else(String::new, |it| {
        // A foreign architecture is named, the machine's own is not.
        format!(r"^Inst {}(:[a-z0-9-]+)? (\[[^ ]*\] )?\({} ", regex::escape(&it.name), regex::escape(&it.to))
    });
    let only = OnlyNames { lines: Arc::from(r"^(?:Inst|Remv) ([^ :]+)"), names: job.names().into() };
    Calls {
        installed: reach.call(query.chain(moves.iter().map(|it| full_name(it).into())).collect()),
        is_there: are(&moves, |it| &it.to),
        is_back: are(&moves, |it| &it.from),
        // Looking needs no lock, and no right to install.
        dry_run: (reach.call(apt(&["-s", "--only-upgrade"], &to)), 0, shown, Some(only)),
        // As if nothing were installed: what is found then, the archive has.
        way_back: Some(reach.call(apt(&["-s", "-o", "Dir::State::status=/dev/null"], &from))),
        install: job.as_installer(reach, apt(&["--only-upgrade", "-o", LOCK_WAIT], &to)),
        undo: job.as_installer(reach, apt(&["--allow-downgrades", "-o", LOCK_WAIT], &from)),
    }
}

/// Entries that say nothing of what is there: a name without an architecture is answered for all that dpkg has heard of, and one
/// that was removed stays known by its configuration.
const GONE: &str = "(?:[^=;]+=[^=;]*=(?:config-files|not-installed);)*";

/// A regular expression for what dpkg says where every package has this version, and none of them is there in another as well.
fn are(moves: &[Move], version: fn(&Move) -> &Arc<str>) -> String {
    let each = moves.iter().map(|it| {
        let (name, version) = (regex::escape(&it.name), regex::escape(version(it)));
        if it.architecture.is_empty() {
            format!("(?:{name}:[a-z0-9-]+={version}=installed;{GONE})+")
        } else {
            format!("{name}:{}={version}=installed;{GONE}", regex::escape(&it.architecture))
        }
    });
    format!("^{GONE}{}$", each.collect::<String>())
}

/// `libc6:i386`; without the architecture where it is not said.
pub(super) fn full_name(it: &Move) -> String {
    if it.architecture.is_empty() { it.name.to_string() } else { format!("{}:{}", it.name, it.architecture) }
}
