//! `hypo detect`: scores for series in files.

use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::{Exit, Failure, output};
use crate::app::arguments::DetectArguments;
use crate::engine::offline::detect::{SetAside, score_file, tables};

pub(super) fn run(arguments: &DetectArguments) -> Result<Exit, Failure> {
    let (folder, names) = sources(&arguments.input)?;
    if names.is_empty() {
        return Err(format!("no .csv file below {}", folder.display()).into());
    }
    let mut progress = Progress::new(names.len());
    let (mut rows, mut failed) = (0, 0);
    for name in &names {
        match score_file(&folder.join(name), &arguments.output.join(name)) {
            Ok((count, set_aside)) => {
                rows += count;
                tell(name, set_aside);
            }
            Err(problem) => {
                failed += 1;
                output::complain(&problem.to_string());
            }
        }
        progress.step(&name.display().to_string());
    }
    drop(progress);
    let done = names.len() - failed;
    output::line(&format!("{rows} rows of {done} series scored into {}", arguments.output.display()))?;
    Ok(match (done, failed) {
        (0, _) => Exit::Failed,
        (_, 0) => Exit::Done,
        _ => Exit::Found,
    })
}

/// The tables to score: of a folder all below it, of a file that file.
fn sources(input: &Path) -> Result<(PathBuf, Vec<PathBuf>), Failure> {
    if input.is_dir() {
        return Ok((input.to_owned(), tables(input)?));
    }
    match (input.parent(), input.file_name()) {
        (Some(folder), Some(name)) => Ok((folder.to_owned(), vec![PathBuf::from(name)])),
        _ => Err(format!("{} is neither a folder nor a file", input.display()).into()),
    }
}

/// Says what of a file taught nothing.
fn tell(name: &Path, set_aside: SetAside) {
    if set_aside.is_any() {
        let SetAside { values, stamps, first_line } = set_aside;
        output::complain(&format!(
            "{}: {values} values are no numbers, {stamps} stamps unreadable, the first in line {first_line}; they score 0",
            name.display()
        ));
    }
}
