//! What `y` copies: the selected thing, in the form in which it is useful elsewhere.

use std::sync::Arc;

use super::answers;
use super::runbook;
use crate::app::effect::Effect;
use crate::app::picture;
use crate::app::state::AppState;
use crate::engine::model::{Call, Incident};
use crate::views::ui_state::RowKey;

pub(super) fn copy(state: &mut AppState) -> Vec<Effect> {
    let text = state.selected().and_then(|(_, row)| text_of(state, &row));
    match text.filter(|text| !text.is_empty()) {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            state.refuse("nothing is selected that could be copied");
            Vec::new()
        }
    }
}

fn text_of(state: &AppState, row: &RowKey) -> Option<String> {
    let snapshot = &state.snapshot;
    Some(match row {
        RowKey::Incident(id) => incident_text(snapshot.incident(*id)?),
        RowKey::Anomaly(id) => {
            let anomaly = snapshot.anomaly(*id)?;
            let (value, expected) = picture::figures(anomaly);
            let (id, service, metric) = (anomaly.id, &anomaly.service, &anomaly.metric);
            format!("{id} {service} {metric} = {value} (expected {expected}) since {}", anomaly.started_at)
        }
        RowKey::Warning(id) => {
            let warning = snapshot.warnings.iter().find(|warning| warning.incident == *id)?;
            let signs = warning.signs.join(", ");
            format!("{} like before {} {}: {signs}", warning.service, warning.incident, warning.title)
        }
        RowKey::Source(name) => {
            let source = snapshot.sources.iter().find(|source| source.source.as_str() == name.as_ref())?;
            format!("{} {}", source.source, source.address)
        }
        RowKey::Service(service) => service.to_string(),
        RowKey::Timeline(at, number) => {
            let of_that_time = state.incident()?.timeline.iter().filter(|entry| entry.at.0 == *at);
            let entry = of_that_time.into_iter().nth(usize::try_from(*number).ok()?)?;
            format!("{} {}", entry.at, entry.text)
        }
        RowKey::Step(index) => match state.run() {
            Some(run) => command_line(&runbook::argv(run.steps.get(*index)?)),
            None => {
                let proposals = snapshot.proposals.get(&state.incident()?.id)?;
                command_line(&proposals.first()?.steps.get(*index)?.spec.call().map(Call::words).unwrap_or_default())
            }
        },
        RowKey::Proposal(id) => id.to_string(),
        RowKey::Audit(sequence) => {
            let entry = snapshot.audit.iter().find(|entry| entry.sequence == *sequence)?;
            format!("{} {} {}", entry.at, entry.by, entry.text)
        }
        RowKey::Change(id) => {
            let change = &snapshot.changes.iter().find(|change| change.id == *id)?.notice;
            let or_nothing = |text: &Option<Arc<str>>| text.as_ref().map_or(String::new(), |text| format!(" {text}"));
            let (version, author, url) = (&change.version, &change.author, &change.url);
            format!("{} {}{}{}{}", change.at, change.title, or_nothing(version), or_nothing(author), or_nothing(url))
        }
        RowKey::Asked(number) => answers::text_of(state.ui.talk.exchange(*number)?),
        RowKey::Claim(number, place) => state.ui.talk.claim(*number, *place)?.text(),
        RowKey::Said(number, place) => state.ui.talk.said(*number, *place)?.text.into_owned(),
        RowKey::Next(question) => question.to_string(),
        RowKey::OverduePatches => format!("{} patches past their deadline", snapshot.patches.tally.overdue),
        RowKey::PatchException(number) => {
            snapshot.patch_exceptions.iter().find(|known| known.number == *number)?.to_string()
        }
        RowKey::PatchGroup(_, name) | RowKey::PatchGap(name) | RowKey::Unbooted(name) => name.to_string(),
        RowKey::Rollout(id) => id.to_string(),
        RowKey::RolloutTarget(_, name) | RowKey::Occasion(_, name) => name.to_string(),
        RowKey::PlanLine(at) => {
            let kept = picture::rollout(snapshot, &state.ui)?;
            kept.rollout.plan.lines().into_iter().nth(*at)?
        }
        RowKey::Patch(key) => {
            let patch = snapshot.patches.patch(key)?;
            let fix = patch.fix.as_deref().unwrap_or_default();
            let ids: Vec<String> = patch.advisories.iter().map(|advisory| advisory.id.to_string()).collect();
            format!("{} {fix} {}", patch.package, ids.join(" "))
        }
        RowKey::File(index) => {
            let problem = snapshot.file_problems.get(*index)?;
            format!("{}:{}: {}", problem.file, problem.line, problem.text)
        }
        RowKey::Evidence(hypothesis, is_for, index) => {
            let hypothesis = state.incident()?.ranking.hypotheses.get(*hypothesis)?;
            let evidence = if *is_for { &hypothesis.evidence_for } else { &hypothesis.evidence_against };
            evidence.get(*index)?.text.to_string()
        }
    })
}

fn incident_text(incident: &Incident) -> String {
    let cause = match incident.ranking.cause() {
        Some(cause) => format!("; cause: {} ({} %)", cause.title, cause.confidence.percent()),
        None => String::new(),
    };
    format!("{} {} {}{cause}", incident.id, incident.severity, incident.title)
}

/// An argument vector as it would be typed into a shell: quoted where it has to be.
fn command_line(argv: &[Arc<str>]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = argv.iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(is_plain) {
            argument.to_string()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_command_survives_a_shell() {
        for (argv, expected) in [
            (&["kubectl", "rollout", "undo", "deployment/payment"][..], "kubectl rollout undo deployment/payment"),
            (&["echo", "a b", "it's", "", "$HOME"], r"echo 'a b' 'it'\''s' '' '$HOME'"),
        ] {
            let argv: Vec<Arc<str>> = argv.iter().map(|argument| Arc::from(*argument)).collect();
            assert_eq!(command_line(&argv), expected);
        }
    }
}
