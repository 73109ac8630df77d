//! `hypo correlate`: storms of alerts into groups, a file for each.

use super::progress::Progress;
use super::{Exit, Failure, output};
use crate::app::arguments::CorrelateArguments;
use crate::engine::offline::correlate::{correlate, read_storm, storms, write_groups};

pub(super) fn run(arguments: &CorrelateArguments) -> Result<Exit, Failure> {
    let found = storms(&arguments.storm_dir)?;
    let mut progress = Progress::new(found.len());
    let (mut alerts, mut groups, mut unread, mut partial) = (0, 0, 0, 0);
    for storm in &found {
        let read = match read_storm(storm) {
            Ok(read) => read,
            Err(problem) => {
                unread += 1;
                output::complain(&problem.to_string());
                continue;
            }
        };
        partial += usize::from(read.is_partial);
        for told in &read.dropped.told {
            output::complain(told);
        }
        if read.dropped.count > read.dropped.told.len() {
            output::complain(&format!("{}: {} lines in all could not be used", storm.display(), read.dropped.count));
        }
        let answer = correlate(read);
        if answer.over_count > 0 {
            let text =
                "names of places or rules are beyond what is told apart; their alerts are linked to nothing by them";
            output::complain(&format!("{}: {} {text}", storm.display(), answer.over_count));
        }
        alerts += answer.groups.len();
        groups += answer.groups.iter().flatten().collect::<std::collections::BTreeSet<_>>().len();
        write_groups(&arguments.out_dir, storm, &answer)?;
        progress.step(&storm.display().to_string());
    }
    drop(progress);
    let storms = if found.len() == 1 { "1 storm".to_owned() } else { format!("{} storms", found.len()) };
    output::line(&format!("{storms}, {alerts} alerts, {groups} groups, in {}", arguments.out_dir.display()))?;
    Ok(match unread {
        0 if partial == 0 => Exit::Done,
        _ if unread == found.len() => Exit::Failed,
        _ => Exit::Found,
    })
}
