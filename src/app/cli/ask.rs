//! `hypo ask`: questions in plain words, answered from what the engine knows.

mod consult;

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::Serialize;

use self::consult::{Consultant, Consulted};
use super::{Exit, Failure, demo, existing_store, list, output, settings, tokio_runtime, variable};
use crate::app::arguments::{AskArguments, CommonArguments};
use crate::app::settings::zone;
use crate::engine::ask::answer::{Answer, AnswerState, Citation, Claim};
use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::recall::Archive;
use crate::engine::ask::slots::Slots;
use crate::engine::demo::headless::Played;
use crate::engine::language_model::Known;
use crate::engine::model::PastValues;
use crate::engine::runbooks::Library;
use crate::engine::runtime::{archive, archive_file};
use crate::engine::snapshot::Snapshot;
use crate::engine::store::Store;

/// An answer as JSON.
#[derive(Serialize)]
struct Told<'a> {
    state: AnswerState,
    intent: Intent,
    slots: &'a Slots,
    answer: String,
    claims: Vec<ToldClaim>,
    confidence: Option<f64>,
    window: Option<ToldWindow>,
    missing: Vec<String>,
    next: &'a [Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Consulted>,
}

#[derive(Serialize)]
struct ToldClaim {
    text: String,
    citations: Vec<Citation>,
}

#[derive(Serialize)]
struct ToldWindow {
    from: String,
    to: String,
}

pub(super) fn run(common: &CommonArguments, arguments: &AskArguments) -> Result<Exit, Failure> {
    let written = arguments.question.join(" ");
    let is_silent = written.trim().is_empty() && io::stdin().is_terminal();
    if is_silent {
        return Err("no question; write one, such as `hypo ask \"what is broken now\"`".to_owned().into());
    }
    let (known, lies) = match arguments.demo {
        true => {
            let Played { snapshot, past, .. } = demo::at_its_height()?;
            (Known { picture: snapshot, past: Arc::new(past) }, Lies::InPicture)
        }
        false => match list::picture_and_store(common, Library::shipped())? {
            (picture, Some(store)) => {
                let values = PastValues::of_pages(store.past_pages().flatten());
                (Known { picture, past: Arc::new(values) }, Lies::InStore(Box::new(store)))
            }
            // What a running hypo has measured is in its memory alone.
            (picture, None) => (Known { picture, past: Arc::default() }, Lies::Beside(existing_store(common)?)),
        },
    };
    let mut past = Past { lies, archive: Archive::default() };
    let zone = arguments.zone.unwrap_or_else(|| zone(&variable));
    let consultant = match arguments.model {
        true => Some(Consultant::new(&settings(common)?.settings.engine.ask.model, tokio_runtime()?)),
        false => None,
    };
    let mut conversation = Conversation::default();
    let mut is_unknown = false;
    let mut ask = |question: &str| -> Result<(), Failure> {
        let reading = conversation.read(question, &ground(&known, zone, &past.archive));
        if reading.intent == Intent::IncidentSimilar {
            past.fill(&known.picture)?;
        }
        let answer = conversation.answer(reading, &ground(&known, zone, &past.archive));
        is_unknown |= answer.state != AnswerState::Answered;
        let consult = |consultant: &Consultant| consultant.consult(question, &answer, &known, zone);
        if arguments.json {
            output::json(&Told { model: consultant.as_ref().map(consult), ..told(&answer) })?;
        } else {
            // The embedded answer is there at once, whatever the model does.
            print(&answer, zone)?;
            if let Some(consulted) = consultant.as_ref().map(consult) {
                consulted.print()?;
            }
        }
        Ok(())
    };
    if written.trim().is_empty() {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|problem| format!("cannot read standard input: {problem}"))?;
            if !line.trim().is_empty() {
                ask(&line)?;
            }
        }
    } else {
        ask(&written)?;
    }
    Ok(if is_unknown { Exit::Found } else { Exit::Done })
}

fn ground<'s>(known: &'s Known, zone: Tz, archive: &'s Archive) -> Ground<'s> {
    Ground { snapshot: &known.picture, zone, focus: None, archive, past: &known.past }
}

/// Where incidents of the past are.
enum Lies {
    /// In a store that is open.
    InStore(Box<Store>),
    /// In the state directory of the hypo that holds the store.
    Beside(PathBuf),
    /// In the picture, or read already.
    InPicture,
}

/// Incidents of the past, read when first they are asked for: there may be a hundred thousand.
struct Past {
    lies: Lies,
    archive: Archive,
}

impl Past {
    fn fill(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        match std::mem::replace(&mut self.lies, Lies::InPicture) {
            Lies::InStore(store) => self.archive = archive::fill(&store)?,
            Lies::Beside(folder) => {
                self.archive = archive_file::read(&folder)?.unwrap_or_default();
                self.archive.complete(snapshot);
            }
            Lies::InPicture => {}
        }
        Ok(())
    }
}

fn told(answer: &Answer) -> Told<'_> {
    let claims = std::iter::once(&answer.lead).chain(&answer.claims);
    Told {
        state: answer.state,
        intent: answer.intent,
        slots: &answer.slots,
        answer: answer.lead.text(),
        claims: claims.map(|claim| ToldClaim { text: claim.text(), citations: claim.citations() }).collect(),
        confidence: answer.confidence,
        window: answer.window.map(|span| ToldWindow { from: span.from.to_string(), to: span.to.to_string() }),
        missing: answer.missing.iter().map(Claim::text).collect(),
        next: &answer.next,
        model: None,
    }
}

fn print(answer: &Answer, zone: Tz) -> io::Result<()> {
    output::line(&answer.lead.text())?;
    for claim in &answer.claims {
        output::line(&format!("  - {}", claim.text()))?;
    }
    if let Some(window) = answer.window {
        output::line(&format!("  time: {} to {} UTC, told in {zone}", window.from, window.to))?;
    }
    for claim in &answer.missing {
        output::line(&format!("  not known: {}", claim.text()))?;
    }
    if !answer.next.is_empty() {
        let word = if answer.state == AnswerState::Ambiguous { "one of" } else { "next" };
        output::line(&format!("  {word}: {}", answer.next.join(" · ")))?;
    }
    Ok(())
}
