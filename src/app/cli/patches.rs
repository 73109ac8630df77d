//! `hypo patches`: what is lacking, in order; what affects an asset, with proofs; how urgent a vulnerability is.

mod exceptions;
mod list;
mod report;
mod rollouts;
mod show;

use serde::Serialize;

use super::{Exit, Failure, output, settings};
use crate::app::arguments::{CommonArguments, PatchesCommand, PatchesScoreArguments, YesNo};
use crate::engine::patches::directive::{self, Answer, Questions, Term};
use crate::engine::patches::exceptions::ExceptionKind;
use crate::engine::patches::risk::{self, CvssTenths, Exposure, Risk};

pub(super) fn run(common: &CommonArguments, command: &PatchesCommand) -> Result<Exit, Failure> {
    match command {
        PatchesCommand::Score(arguments) => score(common, arguments),
        PatchesCommand::List(arguments) => list::run(common, arguments),
        PatchesCommand::Show(arguments) => show::run(common, arguments),
        PatchesCommand::Defer(arguments) => exceptions::except(common, ExceptionKind::Deferred, arguments),
        PatchesCommand::Accept(arguments) => exceptions::except(common, ExceptionKind::Accepted, arguments),
        PatchesCommand::Withdraw(arguments) => exceptions::withdraw(common, arguments),
        PatchesCommand::Exceptions(arguments) => exceptions::list(common, arguments),
        PatchesCommand::Report(arguments) => report::run(common, arguments),
        PatchesCommand::Plan(arguments) => rollouts::plan(common, arguments),
        PatchesCommand::Rollouts(arguments) => rollouts::list(common, arguments),
        PatchesCommand::Approve(arguments) => rollouts::approve(common, arguments),
        PatchesCommand::Pause(arguments) => rollouts::pause(common, arguments),
        PatchesCommand::Resume(arguments) => rollouts::resume(common, arguments),
        PatchesCommand::Stop(arguments) => rollouts::stop(common, arguments),
        PatchesCommand::Rollback(arguments) => rollouts::roll_back(common, arguments),
    }
}

/// The score with the second opinion.
#[derive(Serialize)]
struct Scored {
    #[serde(flatten)]
    risk: Risk,
    directive: Directive,
}

/// The term by CISA BOD 26-04: one where every answer is known, else its two ends.
#[derive(Serialize)]
struct Directive {
    strictest: Term,
    mildest: Term,
}

fn score(common: &CommonArguments, arguments: &PatchesScoreArguments) -> Result<Exit, Failure> {
    let exposure = Exposure {
        cvss: CvssTenths::from_score(arguments.cvss).map_err(|problem| format!("--cvss: {problem}"))?,
        is_known_exploited: arguments.kev,
        is_internet_facing: arguments.internet,
        is_production: arguments.production,
        is_fresh: arguments.fresh,
    };
    let rules = &settings(common)?.settings.engine.patches.risk;
    let risk = risk::assess(&exposure, rules);
    let (strictest, mildest) = directive::terms(&Questions {
        in_kev: if arguments.kev { Answer::Yes } else { Answer::No },
        publicly_exposed: if arguments.internet { Answer::Yes } else { Answer::No },
        automatable: answer(arguments.automatable),
        total_impact: answer(arguments.total_impact),
    });
    if arguments.json {
        output::json(&Scored { risk, directive: Directive { strictest, mildest } })?;
        return Ok(Exit::Done);
    }
    let factors: Vec<String> = risk.factors.iter().map(|factor| format!("{} {}", factor.name, factor.value)).collect();
    output::line(&format!("{} {:.4} = {}", risk.band.word(), risk.score, factors.join(" x ")))?;
    let within = risk.band.within_ms(rules).map_or_else(
        || "with the next window".to_owned(),
        |ms| format!("within {} of the first match", crate::engine::model::human_span(ms)),
    );
    output::line(&format!("due {within}"))?;
    let term = if strictest == mildest {
        strictest.words().to_owned()
    } else {
        format!("{} to {}", strictest.words(), mildest.words())
    };
    output::line(&format!("CISA BOD 26-04: {term}"))?;
    Ok(Exit::Done)
}

fn answer(given: Option<YesNo>) -> Answer {
    match given {
        Some(YesNo::Yes) => Answer::Yes,
        Some(YesNo::No) => Answer::No,
        None => Answer::Unknown,
    }
}
