//! `hypo templates`: the group and template of every line of a log.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::progress::Progress;
use super::{Exit, Failure, output};
use crate::app::arguments::TemplatesArguments;
use crate::engine::offline::templates::{self, MinedLog};

pub(super) fn run(arguments: &TemplatesArguments) -> Result<Exit, Failure> {
    let out = &arguments.out;
    let logs = templates::logs_in(&arguments.logs)?;
    let is_folder = arguments.logs.is_dir() || out.is_dir();
    if is_folder {
        fs::create_dir_all(out).map_err(|problem| format!("cannot make the folder {}: {problem}", out.display()))?;
    }
    let mut progress = Progress::new(logs.len());
    let mut names = BTreeSet::new();
    let (mut done_count, mut is_whole) = (0, true);
    for path in &logs {
        match templates::mine(path, arguments.field.as_deref()) {
            Ok(mut mined) => {
                if !names.insert(mined.name.clone()) {
                    // `app.log` and `app.log.gz` have an answer each.
                    mined.name = path.file_name().map_or(mined.name, |name| name.to_string_lossy().into_owned());
                }
                mined.write(out, is_folder)?;
                tell(path, &mined)?;
                done_count += 1;
                is_whole &= mined.broken_off.is_none();
            }
            Err(problem) => {
                output::complain(&problem.to_string());
                is_whole = false;
            }
        }
        progress.step(&path.to_string_lossy());
    }
    Ok(match (done_count, is_whole) {
        (0, _) => Exit::Failed,
        (_, false) => Exit::Found,
        (_, true) => Exit::Done,
    })
}

/// What was found, and on standard error what was set aside.
fn tell(path: &Path, mined: &MinedLog) -> Result<(), Failure> {
    let path = path.display();
    if let Some(problem) = &mined.broken_off {
        output::complain(&format!("{path}: cannot be read past line {}: {problem}", mined.lines.len()));
    }
    let aside = mined.set_aside;
    if let Some(first) = aside.first_malformed {
        let what = "no JSON object with a message";
        output::complain(&format!("{path}: {} lines set aside, {what}; the first is line {first}", aside.malformed));
    }
    if aside.cut > 0 {
        output::complain(&format!("{path}: {} lines were too long and cut", aside.cut));
    }
    if aside.invalid_text > 0 {
        output::complain(&format!("{path}: {} lines with bytes that are no UTF-8", aside.invalid_text));
    }
    if mined.evicted_count > 0 {
        output::complain(&format!("{path}: {} rare templates had to make room", mined.evicted_count));
    }
    let (lines, templates) = (mined.lines.len(), mined.templates.len());
    output::line(&format!("{}: {lines} lines, {templates} templates", mined.name))?;
    if mined.is_json {
        return Ok(());
    }
    let mut by_count: Vec<(u64, &str)> = mined.templates.values().map(|(text, count)| (*count, &**text)).collect();
    by_count.sort_by_key(|(count, text)| (Reverse(*count), *text));
    for (count, text) in by_count {
        output::line(&format!("{count:>9}  {text}"))?;
    }
    Ok(())
}
