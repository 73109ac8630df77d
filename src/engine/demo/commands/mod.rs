//! What the steps of runbooks and rollouts do to the shop: the few commands they use, understood and carried out on the model. The
//! right one mends it; the wrong one does what it says and mends nothing.

mod disk;
mod kubectl;
mod machine;
mod psql;
mod table;

use std::sync::Arc;

use super::shop::Shop;
use crate::engine::clock::Timestamp;

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// What it wrote.
    pub lines: Vec<Arc<str>>,
    /// Its exit code: 0 done, 1 refused by the shop, 2 not understood, 127 no such command.
    pub exit_code: i32,
    /// How long it would have taken, in milliseconds.
    pub took_ms: i64,
}

impl Executed {
    fn done(lines: impl IntoIterator<Item = String>, took_ms: i64) -> Self {
        Self { lines: lines.into_iter().map(Arc::from).collect(), exit_code: 0, took_ms }
    }

    fn failed(exit_code: i32, line: &str) -> Self {
        Self { lines: vec![Arc::from(line)], exit_code, took_ms: 40 }
    }
}

/// A command on its way: its words, and whether it may change anything.
struct Call<'a> {
    argv: &'a [Arc<str>],
    is_dry_run: bool,
    now: Timestamp,
}

impl Call<'_> {
    /// The arguments, without the program.
    fn arguments(&self) -> impl Iterator<Item = &str> {
        self.argv.iter().skip(1).map(AsRef::as_ref)
    }

    /// The value of a flag written `--name=value`, `--name value` or `-n value`.
    fn flag(&self, names: &[&str]) -> Option<&str> {
        let mut arguments = self.arguments();
        while let Some(argument) = arguments.next() {
            for name in names {
                if argument == *name {
                    return arguments.next();
                }
                if let Some(value) = argument.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                    return Some(value);
                }
            }
        }
        None
    }
}

impl Shop {
    /// Carries a command out at `now`, or says what it would do where `is_dry_run` holds.
    pub fn execute(&mut self, argv: &[Arc<str>], is_dry_run: bool, now: Timestamp) -> Executed {
        let Some(program) = argv.first() else { return Executed::failed(2, "no command was given") };
        let says_dry_run = argv
            .iter()
            .any(|word| matches!(word.as_ref(), "--dry-run" | "--dry-run=server" | "--dry-run=client" | "--debug"));
        let call = Call { argv, is_dry_run: is_dry_run || says_dry_run, now };
        match program.rsplit('/').next().unwrap_or(program) {
            "kubectl" => self.kubectl(&call),
            "psql" => self.psql(&call),
            "df" => self.disk_free(None),
            "ssh" => self.on_machine(&call),
            other => {
                let line =
                    format!("{other}: command not found in the simulated shop; it knows kubectl, psql, df and ssh");
                Executed::failed(127, &line)
            }
        }
    }
}
