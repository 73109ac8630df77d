//! Packages of Fedora and its kin by `dnf`.

use std::sync::Arc;

use super::{Calls, Job, Move, Reach};
use crate::engine::model::OnlyNames;

/// What is printed of each package; all of them make one line.
const FORMAT: &str = "%{NAME}.%{ARCH}=%{EPOCHNUM}:%{VERSION}-%{RELEASE};";

pub(super) fn calls(job: &Job, reach: &Reach) -> Calls {
    let moves = &job.moves;
    let dnf = |verb: &[&str], version: &dyn Fn(&Move) -> &Arc<str>| -> Vec<Arc<str>> {
        let words = ["dnf"].iter().chain(verb).map(|word| Arc::from(*word));
        words.chain(moves.iter().map(|it| package(it, version(it)).into())).collect()
    };
    let query = ["rpm", "-q", "--qf", FORMAT].map(Arc::from).into_iter();
    let shown = moves.first().map_or_else(String::new, |it| {
        // An epoch of none is not printed.
        let version = it.to.strip_prefix("0:").unwrap_or(&it.to);
        format!(r"^ {} +\S+ +{} ", regex::escape(&it.name), regex::escape(version))
    });
    let only = OnlyNames {
        lines: Arc::from(r"^ (\S+) +(?:x86_64|aarch64|i686|ppc64le|s390x|noarch) +\S*\d"),
        names: job.names().into(),
    };
    Calls {
        installed: reach.call(query.chain(moves.iter().map(|it| full_name(it).into())).collect()),
        is_there: are(moves, |it| &it.to),
        is_back: are(moves, |it| &it.from),
        // It says no to its own question, and ends with 1.
        dry_run: (job.as_installer(reach, dnf(&["--assumeno", "upgrade"], &|it| &it.to)), 1, shown, Some(only)),
        way_back: Some(reach.call(dnf(&["-q", "repoquery"], &|it| &it.from))),
        install: job.as_installer(reach, dnf(&["-y", "upgrade"], &|it| &it.to)),
        undo: job.as_installer(reach, dnf(&["-y", "downgrade"], &|it| &it.from)),
    }
}

/// A regular expression for what rpm says where every package has this version.
fn are(moves: &[Move], version: fn(&Move) -> &Arc<str>) -> String {
    let each = moves.iter().map(|it| {
        let architecture =
            if it.architecture.is_empty() { "[a-z0-9_]+".to_owned() } else { regex::escape(&it.architecture) };
        format!("{}\\.{architecture}={};", regex::escape(&it.name), regex::escape(&with_epoch(version(it))))
    });
    format!("^{}$", each.collect::<String>())
}

/// `glibc.i686`; without the architecture where it is not said.
fn full_name(it: &Move) -> String {
    if it.architecture.is_empty() { it.name.to_string() } else { format!("{}.{}", it.name, it.architecture) }
}

/// A package at a version, as `dnf` takes it.
fn package(it: &Move, version: &str) -> String {
    let architecture = if it.architecture.is_empty() { String::new() } else { format!(".{}", it.architecture) };
    format!("{}-{}{architecture}", it.name, with_epoch(version))
}

fn with_epoch(version: &str) -> String {
    if version.contains(':') { version.to_owned() } else { format!("0:{version}") }
}
