//! `hypo runbook`: pages checked, listed, shown, tried and begun.

mod draft;
mod lint;
mod new;
mod show;
mod trial;

use serde::Serialize;

use super::{Exit, Failure, console, output, settings};
use crate::app::arguments::{CommonArguments, RunbookCommand};
use crate::engine::model::Runbook;
use crate::engine::runbooks::Library;
use crate::nearest::suggestion;

/// `hypo runbook list --json`
#[derive(Serialize)]
struct RunbookList<'a> {
    runbooks: Vec<&'a Runbook>,
    problems: &'a [crate::engine::snapshot::FileProblem],
}

pub(super) fn run(common: &CommonArguments, command: &RunbookCommand) -> Result<Exit, Failure> {
    match command {
        RunbookCommand::Lint(arguments) => lint::run(common, arguments),
        RunbookCommand::List { json } => list(common, *json),
        RunbookCommand::Show { id, json } => show::run(common, id, *json),
        RunbookCommand::Run(arguments) => trial::run(common, arguments),
        RunbookCommand::Draft(arguments) => draft::run(common, arguments.incident),
        RunbookCommand::New(arguments) => new::run(arguments),
    }
}

/// The shipped runbooks with one's own on top.
fn library(common: &CommonArguments) -> Result<Library, Failure> {
    Ok(console::library(&settings(common)?.settings))
}

/// The runbook with this id, or what was probably meant.
fn find<'a>(library: &'a Library, id: &str) -> Result<&'a std::sync::Arc<Runbook>, Failure> {
    library.get(id).ok_or_else(|| {
        let near = suggestion(id, library.iter().map(|runbook| runbook.id.as_ref()));
        format!("there is no runbook `{id}`{near}; `hypo runbook list` names them").into()
    })
}

fn list(common: &CommonArguments, is_json: bool) -> Result<Exit, Failure> {
    let library = library(common)?;
    let problems = library.problems();
    if is_json {
        output::json(&RunbookList { runbooks: library.iter().map(AsRef::as_ref).collect(), problems: &problems })?;
    } else {
        for runbook in library.iter() {
            let acts = runbook.steps.iter().filter(|step| step.act().is_some()).count();
            let origin = runbook.origin.as_ref();
            let id = &runbook.id;
            let counts = format!("{:>2} steps {acts} acts", runbook.steps.len());
            output::line(&format!("{id:<24} {counts}  {}  ({origin})", runbook.title))?;
        }
        for problem in &problems {
            output::line(&format!("{}:{}: {}", problem.file, problem.line, problem.text))?;
        }
    }
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Found })
}
