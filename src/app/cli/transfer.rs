//! `hypo export` and `hypo import`: everything out in an open format, and back in.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use super::{Exit, Failure, open_existing, output, settings};
use crate::app::arguments::{CommonArguments, ExportArguments, ImportArguments};
use crate::engine::store::Store;

pub(super) fn export(common: &CommonArguments, arguments: &ExportArguments) -> Result<Exit, Failure> {
    let store = open_existing(common)?;
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
    let store = Store::open(&settings(common)?.paths.state_dir)?;
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

fn cannot(verb: &str, path: &Path, problem: &io::Error) -> Failure {
    format!("cannot {verb} {}: {problem}", path.display()).into()
}
