//! Runs a command: an argument vector without a shell. Which programs may run, and which of their files are trusted, is
//! decided here for every kind of step that starts one.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::Uid;

use super::process::{self, End, Program};
use super::{Attempt, not_started, stopped};
use crate::engine::input::StepProgress;
use crate::engine::settings::RunbookSettings;

/// Where programs are looked for. Fixed, so that no variable leads to another program of the same name.
const SEARCH_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Which programs may run, and with what of the environment.
#[derive(Debug, Clone)]
pub struct CommandRules {
    allowed_programs: Vec<String>,
    environment: Vec<(String, OsString)>,
}

impl CommandRules {
    /// Takes the allow-list and the present values of the variables that are passed on.
    #[must_use]
    pub fn new(settings: &RunbookSettings) -> Self {
        let environment = settings
            .environment
            .iter()
            .filter_map(|name| std::env::var_os(name).map(|value| (name.clone(), value)))
            .collect();
        Self { allowed_programs: settings.allowed_programs.clone(), environment }
    }

    /// The variables that are passed on.
    pub(super) fn environment(&self) -> Vec<(String, OsString)> {
        self.environment.clone()
    }

    /// The file that is started for `program`.
    ///
    /// The gate has looked at the allow-list already; looking again costs nothing and does not trust it.
    pub(in crate::engine::act) fn resolve(&self, program: &str) -> Result<PathBuf, String> {
        if !self.allowed_programs.iter().any(|allowed| allowed == program) {
            return Err(format!("`{program}` is not among `allowed_programs` under [runbooks]"));
        }
        let path = if program.starts_with('/') {
            PathBuf::from(program)
        } else if program.contains('/') {
            return Err(format!("`{program}` is a relative path; write the program's name or its absolute path"));
        } else {
            let found = SEARCH_PATH.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file());
            found.ok_or_else(|| {
                format!("`{program}` is in none of {}; install it, or list its absolute path", SEARCH_PATH.join(", "))
            })?
        };
        trust(&path)?;
        Ok(path)
    }
}

/// Refuses a file that somebody else could have changed, or put in its place: it, what a link leads to, and every folder
/// on both ways belong to root or to us, and nobody else may write them.
///
/// A folder that everybody may write and whose entries only their owners may take away (`/tmp`) is let pass: what lies in
/// it is looked at by itself.
pub(super) fn trust(path: &Path) -> Result<(), String> {
    let real = path.canonicalize().map_err(|error| format!("`{}` cannot be started: {error}", path.display()))?;
    let facts = real.metadata().map_err(|error| format!("`{}` cannot be looked at: {error}", real.display()))?;
    if !facts.is_file() {
        return Err(format!("`{}` is no file", real.display()));
    }
    let folders = path.ancestors().skip(1).chain(real.ancestors().skip(1));
    for place in std::iter::once(real.as_path()).chain(folders.filter(|folder| !folder.as_os_str().is_empty())) {
        let facts = place.metadata().map_err(|error| format!("`{}` cannot be looked at: {error}", place.display()))?;
        let owner = facts.uid();
        if owner != 0 && owner != Uid::effective().as_raw() {
            return Err(format!(
                "`{}` belongs to user {owner}, who could change what runs; give it to root or to yourself",
                place.display()
            ));
        }
        let is_sticky = facts.is_dir() && facts.mode() & 0o1000 != 0;
        if facts.mode() & 0o022 != 0 && !is_sticky {
            return Err(format!("others may change `{0}`; run: chmod go-w {0}", place.display()));
        }
    }
    Ok(())
}

/// Runs the command to its end, its timeout or its stop.
pub async fn run(argv: &[Arc<str>], rules: &CommandRules, attempt: &Attempt) -> StepProgress {
    let Some((program, arguments)) = argv.split_first() else {
        return not_started("its command is empty");
    };
    let path = match rules.resolve(program) {
        Ok(path) => path,
        Err(reason) => return not_started(reason),
    };
    let arguments = arguments.iter().map(|part| OsString::from(part.as_ref())).collect();
    let program = Program { path, arguments, environment: rules.environment() };
    match process::run(&program, attempt, None).await.end {
        End::NotStarted(reason) => not_started(reason),
        End::Exited(code) => StepProgress::Exited { code, took_ms: attempt.took_ms() },
        End::Stopped(reason) => stopped(reason),
    }
}
