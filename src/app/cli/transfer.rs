//! `hypo export` and `hypo import`: everything out in an open format, and back in.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure, existing_store, output, settings};
use crate::app::arguments::{CommonArguments, ExportArguments, ImportArguments};
use crate::engine::store::{Hold, Store, StoreError};

pub(super) fn export(common: &CommonArguments, arguments: &ExportArguments) -> Result<Exit, Failure> {
    let store = Store::open(&existing_store(common)?).map_err(while_held)?;
    let file = arguments.file.as_deref().filter(|file| *file != Path::new("-"));
    let Some(path) = file else {
        let mut out = BufWriter::new(io::stdout().lock());
        store.export(&mut out)?;
        out.flush()?;
        return Ok(Exit::Done);
    };
    let file = File::create(path).map_err(|problem| cannot("write", path, &problem))?;
    let mut out = BufWriter::new(file);
    let count = store.export(&mut out)?;
    let file = out.into_inner().map_err(|problem| cannot("write", path, problem.error()))?;
    file.sync_all().map_err(|problem| cannot("write", path, &problem))?;
    output::line(&format!("{count} records written to {}", path.display()))?;
    Ok(Exit::Done)
}

pub(super) fn import(common: &CommonArguments, arguments: &ImportArguments) -> Result<Exit, Failure> {
    // What is added goes on with it.
    let store = Store::open_held(Arc::new(Hold::take(&settings(common)?.paths.state_dir)?))?;
    let path = &arguments.file;
    let count = if path == Path::new("-") {
        store.import(&mut io::stdin().lock(), arguments.merge)?
    } else {
        let file = File::open(path).map_err(|problem| cannot("read", path, &problem))?;
        store.import(&mut BufReader::new(file), arguments.merge)?
    };
    output::line(&format!("{count} records read"))?;
    Ok(Exit::Done)
}

/// Every record is wanted as of one moment, and only the holder of the store could give that.
fn while_held(problem: StoreError) -> Failure {
    match problem {
        StoreError::Held { path, holder } => format!(
            "{} is held by {holder}; end that one, export, and start it again. \
             `hypo incidents --all --json` and `hypo anomalies --all --json` work beside it",
            path.display()
        )
        .into(),
        other => other.into(),
    }
}

fn cannot(verb: &str, path: &Path, problem: &io::Error) -> Failure {
    format!("cannot {verb} {}: {problem}", path.display()).into()
}
