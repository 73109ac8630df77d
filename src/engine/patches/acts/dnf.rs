//! Packages of Fedora and its kin by `dnf`.
//!
//! Its dry run prints a table. What is relied on, of dnf 4 and of dnf 5: a package's row begins with one space and its name; the
//! rest of a row that is too long stands on lines of its own that begin with more spaces; `replacing` before a name is what
//! goes. A line with a space before it that is understood as nothing else is taken for a package's, so that a table of another
//! making, or in another language than English, names what may not come along, and the step waits for a person.

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
        // A long name has a line of its own.
        format!(r"^ (?:{} +| +)\S+ +{}(?: |$)", regex::escape(&it.name), regex::escape(version))
    });
    let only = OnlyNames { lines: named_lines().into(), names: job.names().into() };
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

/// A regular expression for lines with a space before them, with a group for the package; those that are known to name none have
/// no group.
fn named_lines() -> String {
    let size = r"\d+(?:\.\d+)? (?:[kMG]|[KMG]?i?B)";
    let head = r" Package +Arch.*";
    // dnf 5 counts at its end: ` Upgrading:  2 packages`.
    let count = r" [A-Z][a-z]+(?: [a-z]+)*: +\d+ packages?";
    let arch = r"(?:x86_64(?:_v2)?|aarch64|i[3-6]86|ppc64le|s390x|riscv64|noarch)";
    let rest = format!(r" {{2,}}(?:{arch} +\S*\d\S*(?: +\S+(?: +{size})?)? *|(?:\S+ +)?{size} *)");
    format!(r"^(?:{head}|{count}|{rest})$|^ +(?:replacing +)?(\S+)")
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
