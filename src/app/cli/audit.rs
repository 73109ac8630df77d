//! `hypo audit`: the audit log proved, listed, and its signed end printed. The files are only read, so it works beside a
//! running hypo.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Exit, Failure, output, serving, settings};
use crate::app::arguments::{AuditCommand, AuditListArguments, AuditVerifyArguments, CommonArguments};
use crate::engine::audit::head::Head;
use crate::engine::audit::verify::Verdict;
use crate::engine::model::AuditEntry;
use crate::engine::store::audit_file::{self, HEAD_FILE, LOG_FILE};

/// `hypo audit list --json`
#[derive(Serialize)]
struct AuditList {
    entries: Vec<AuditEntry>,
}

/// `hypo audit verify --json`
#[derive(Serialize)]
struct Proof<'a> {
    is_whole: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
    head: Option<&'a Head>,
}

pub(super) fn run(common: &CommonArguments, command: &AuditCommand) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    serving::see_that_it_is_ours(common, &loaded)?;
    let folder = loaded.paths.state_dir;
    if !folder.join(LOG_FILE).exists() && !folder.join(HEAD_FILE).exists() {
        return Err(format!(
            "there is no audit log in {}; start hypo first, or name another with --state-dir",
            folder.display()
        )
        .into());
    }
    match command {
        AuditCommand::Verify(arguments) => verify(&folder, arguments),
        AuditCommand::Head => head(&folder),
        AuditCommand::List(arguments) => list(&folder, arguments),
    }
}

fn verify(folder: &Path, arguments: &AuditVerifyArguments) -> Result<Exit, Failure> {
    let kept: Vec<Head> = arguments.against.iter().map(|path| read_head(path)).collect::<Result<_, _>>()?;
    let verdict = audit_file::check(folder, &kept)?;
    let own = audit_file::head(folder).ok().flatten();
    if arguments.json {
        output::json(&Proof { is_whole: verdict.is_whole(), verdict: &verdict, head: own.as_ref() })?;
    } else {
        tell(&folder.join(LOG_FILE), &verdict, own.as_ref())?;
    }
    Ok(if verdict.is_whole() { Exit::Done } else { Exit::Found })
}

fn tell(log: &Path, verdict: &Verdict, own: Option<&Head>) -> Result<(), Failure> {
    for finding in &verdict.findings {
        output::line(&finding.text)?;
    }
    let unsaid = verdict.finding_count.saturating_sub(verdict.findings.len() as u64);
    if unsaid > 0 {
        output::line(&format!("and {unsaid} more"))?;
    }
    if verdict.let_go > 0 {
        output::line(&format!("entries up to {} were let go, as the log says; it begins after them", verdict.let_go))?;
    }
    if !verdict.is_whole() {
        output::line(&format!("{}: NOT whole, {} findings", log.display(), verdict.finding_count))?;
        return Ok(());
    }
    let signed = own.map_or_else(String::new, |head| {
        let after = verdict.last.saturating_sub(head.end.sequence);
        let newer = if after > 0 { format!(", {after} since") } else { String::new() };
        format!("; signed up to entry {}{newer} by key {:.16}", head.end.sequence, head.key)
    });
    output::line(&format!("{}: whole, {} entries{signed}", log.display(), verdict.entries))?;
    Ok(())
}

fn head(folder: &Path) -> Result<Exit, Failure> {
    let own = audit_file::head(folder).map_err(|problem| format!("{}: {problem}", folder.join(HEAD_FILE).display()))?;
    let own = own.ok_or("nothing has been signed yet; start hypo first")?;
    output::line(own.text()?.trim_end())?;
    Ok(Exit::Done)
}

fn read_head(path: &PathBuf) -> Result<Head, Failure> {
    let text = std::fs::read_to_string(path).map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
    Head::read(&text).map_err(|problem| format!("{}: {problem}", path.display()).into())
}

fn list(folder: &Path, arguments: &AuditListArguments) -> Result<Exit, Failure> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    let wanted = arguments.incident;
    let verdict = audit_file::read(folder, &mut |entry| {
        if wanted.is_none_or(|id| entry.incident.is_some_and(|incident| incident.0 == id)) {
            entries.push(entry.clone());
        }
    })?;
    if arguments.json {
        output::json(&AuditList { entries })?;
    } else {
        for entry in &entries {
            let about = entry.incident.map_or_else(String::new, |id| format!(" {id}"));
            let run = entry.run.map_or_else(String::new, |id| format!(" {id}"));
            output::line(&format!("{} {} {}{about}{run} {}", entry.sequence, entry.at, entry.by, entry.text))?;
        }
    }
    if !verdict.is_whole() {
        output::complain("the log is not whole, and some of it may be missing here; `hypo audit verify` says what");
    }
    Ok(if verdict.is_whole() { Exit::Done } else { Exit::Found })
}
