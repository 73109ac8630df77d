//! Packages by a playbook or a job template of one's own, which is told the packages and their versions as variables:
//! `hypo_packages` (`openssl=3.0.15-1 libssl3=3.0.15-1`, with the architecture as in `libc6:i386=2.36-10` where one is there in
//! several), and `hypo_task`, which is `install`, `look` or `undo`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Calls, Job, Move, apt};
use crate::engine::model::{Call, Play};

pub(super) fn calls(job: &Job, name: &Arc<str>, make: fn(Play) -> Call) -> Calls {
    let packages = |version: &dyn Fn(&Move) -> Arc<str>| -> Arc<str> {
        let each = job.moves.iter().map(|it| format!("{}={}", apt::full_name(it), version(it)));
        each.collect::<Vec<_>>().join(" ").into()
    };
    let play = |task: &str, version: &dyn Fn(&Move) -> Arc<str>, is_check: bool| {
        let vars = [("hypo_packages", packages(version)), ("hypo_task", Arc::from(task))];
        let vars: BTreeMap<Arc<str>, Arc<str>> = vars.map(|(name, value)| (Arc::from(name), value)).into();
        make(Play { what: Arc::clone(name), limit: Arc::clone(&job.target.asset), vars, is_check })
    };
    let to = |it: &Move| Arc::clone(&it.to);
    let from = |it: &Move| Arc::clone(&it.from);
    let host = regex::escape(&job.target.asset);
    Calls {
        installed: play("look", &to, true),
        // In check mode nothing is left to be changed where the versions are there.
        is_there: format!(r"^{host} +: ok=\d+ +changed=0 +unreachable=0 +failed=0 "),
        // It is asked of the versions that are to be there, and knows of no others.
        is_back: String::new(),
        dry_run: (play("install", &to, true), 0, String::new(), None),
        way_back: None,
        install: play("install", &to, false),
        undo: play("undo", &from, false),
    }
}
