//! `hypo ask`: questions in plain words, answered from what the engine knows.

mod consult;
mod there;

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use chrono_tz::Tz;
use serde::Serialize;

use self::consult::{Consultant, Consulted};
use self::there::There;
use super::{Exit, Failure, demo, list, output, settings, tokio_runtime, variable};
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
use crate::engine::runtime::archive;
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
    let wish = Wish { zone: arguments.zone.unwrap_or_else(|| zone(&variable)), is_json: arguments.json };
    let mut here = match arguments.demo {
        true => {
            let Played { snapshot, past, .. } = demo::at_its_height()?;
            Here::of(Known { picture: snapshot, past: Arc::new(past) }, None)
        }
        false => match list::from(common, Library::shipped())? {
            list::From::Engine(beside) => {
                let mut there = There::of(*beside, arguments.model);
                return each(&written, |question| there.ask(question, &wish));
            }
            list::From::Store(picture, store) => {
                let values = PastValues::of_pages(store.past_pages().flatten());
                Here::of(Known { picture, past: Arc::new(values) }, Some(store))
            }
        },
    };
    if arguments.model {
        here.consultant = Some(Consultant::new(&settings(common)?.settings.engine.ask.model, tokio_runtime()?));
    }
    each(&written, |question| here.ask(question, &wish))
}

/// Asks what is written, else each line of standard input.
fn each(written: &str, mut ask: impl FnMut(&str) -> Result<AnswerState, Failure>) -> Result<Exit, Failure> {
    let mut is_unknown = false;
    if written.trim().is_empty() {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|problem| format!("cannot read standard input: {problem}"))?;
            if !line.trim().is_empty() {
                is_unknown |= ask(&line)? != AnswerState::Answered;
            }
        }
    } else {
        is_unknown = ask(written)? != AnswerState::Answered;
    }
    Ok(if is_unknown { Exit::Found } else { Exit::Done })
}

/// How answers are wanted.
struct Wish {
    zone: Tz,
    is_json: bool,
}

/// Questions that are answered in this process, from a store that nobody holds or from the demo.
struct Here {
    known: Known,
    conversation: Conversation,
    consultant: Option<Consultant>,
    /// Where incidents of the past are, until they are first asked for: there may be a hundred thousand.
    store: Option<Box<Store>>,
    archive: Archive,
}

impl Here {
    fn of(known: Known, store: Option<Box<Store>>) -> Self {
        let (conversation, archive) = (Conversation::default(), Archive::default());
        Self { known, conversation, consultant: None, store, archive }
    }

    fn ask(&mut self, question: &str, wish: &Wish) -> Result<AnswerState, Failure> {
        let reading = self.conversation.read(question, &ground(&self.known, wish.zone, &self.archive));
        if reading.intent == Intent::IncidentSimilar
            && let Some(store) = self.store.take()
        {
            self.archive = archive::fill(&store)?;
        }
        let answer = self.conversation.answer(reading, &ground(&self.known, wish.zone, &self.archive));
        let consult = |consultant: &Consultant| consultant.consult(question, &answer, &self.known, wish.zone);
        if wish.is_json {
            output::json(&Told { model: self.consultant.as_ref().map(consult), ..told(&answer) })?;
        } else {
            // The embedded answer is there at once, whatever the model does.
            print(&answer, wish.zone)?;
            if let Some(consulted) = self.consultant.as_ref().map(consult) {
                consulted.print()?;
            }
        }
        Ok(answer.state)
    }
}

fn ground<'s>(known: &'s Known, zone: Tz, archive: &'s Archive) -> Ground<'s> {
    Ground { snapshot: &known.picture, zone, focus: None, archive, past: &known.past }
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
