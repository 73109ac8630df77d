//! A question and a model, as a state machine: what came goes in, what is to be sent and told comes out.

use std::sync::Arc;

use super::api;
use super::api::event::{ModelEvent, Stop, ToolRequest};
use super::api::request::{Block, ModelRequest, ToolResult, Turn};
use super::check::check;
use super::fence::{Fence, harmless};
use super::look::{self, Look};
use super::purse::{DaySpend, Purse, Tally};
use super::saying::{Draft, Ended, Placed, Saying, Spent};
use super::sheet::{Sheet, fenced};
use super::trouble::Trouble;
use super::{draft, placing, prompt};
use crate::engine::ask::answer::{Answer, AnswerState};
use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::names::NameBook;
use crate::engine::ask::slots::Slots;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize::sanitize;
use crate::engine::settings::ModelSettings;

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Send this JSON, and hand in what comes back.
    Send(String),
    /// Tell this to whoever asked.
    Tell(Saying),
    /// It is over.
    End,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Placing,
    Reasoning,
    Over,
}

/// Tools in one reply; what is beyond is not used.
const CALLS_MAX: usize = 8;
/// Text of one reply that is looked at.
const TEXT_BYTES_MAX: usize = 65_536;

/// One question put to a model.
#[derive(Debug)]
pub struct Dialogue {
    settings: ModelSettings,
    question: String,
    book: NameBook,
    fence: Fence,
    sheet: Sheet,
    asked: Conversation,
    purse: Purse,
    phase: Phase,
    turns: Vec<Turn>,
    blocks: Vec<Block>,
    text: String,
    requests: u32,
    bytes_sent: u64,
    began_at: Timestamp,
}

impl Dialogue {
    /// Begins with a question and its embedded answer. `day` is what the day has cost so far, `now` the driver's clock.
    #[must_use]
    pub fn begin(
        settings: &ModelSettings,
        question: &str,
        answer: &Answer,
        ground: &Ground<'_>,
        day: DaySpend,
        now: Timestamp,
    ) -> (Self, Vec<Order>) {
        let names = ground.names();
        let claims: Vec<String> = answer.all_claims().map(super::super::answer::Claim::text).collect();
        let stamp = format!("{} {}", ground.snapshot.revision, ground.now().0);
        let parts = [question, stamp.as_str()].into_iter().chain(claims.iter().map(String::as_str));
        let mut dialogue = Self {
            settings: settings.clone(),
            question: question.to_owned(),
            book: NameBook::of(names.iter().cloned()),
            fence: Fence::over(parts),
            sheet: Sheet::default(),
            asked: Conversation::default(),
            purse: Purse::new(settings, day.at(now)),
            phase: Phase::Reasoning,
            turns: Vec::new(),
            blocks: Vec::new(),
            text: String::new(),
            requests: 0,
            bytes_sent: 0,
            began_at: now,
        };
        let orders = if !settings.enabled {
            dialogue.fail(&Trouble::Off, now)
        } else if answer.state == AnswerState::Refused {
            dialogue.fail(&Trouble::NotForModels, now)
        } else if answer.intent == Intent::OutOfScope && !settings.classification.name.is_empty() {
            dialogue.phase = Phase::Placing;
            let request = placing::request(&settings.classification.name, question, &names, &dialogue.fence);
            dialogue.send(request, now)
        } else {
            dialogue.reason(answer, ground, now)
        };
        (dialogue, orders)
    }

    /// Takes what came from the model.
    pub fn on_event(&mut self, event: ModelEvent, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match event {
            ModelEvent::Text(text) => return self.on_text(&text),
            ModelEvent::Call(call) => {
                self.purse.wrote(call.arguments.len());
                self.blocks.push(Block::Call(call));
            }
            ModelEvent::Kept(value) => {
                self.purse.wrote(value.to_string().len());
                self.blocks.push(Block::Kept(value));
            }
            ModelEvent::Usage { tokens_in, tokens_out } => self.purse.usage(tokens_in, tokens_out),
            ModelEvent::Failed(trouble) => return self.on_trouble(&trouble, now),
            ModelEvent::Stopped(stop) => {
                self.purse.settle();
                return if self.phase == Phase::Placing {
                    self.placed(stop, ground, now)
                } else {
                    self.stopped(stop, ground, now)
                };
            }
        }
        Vec::new()
    }

    /// The driver could not send or read, or waited for too long.
    pub fn on_trouble(&mut self, trouble: &Trouble, now: Timestamp) -> Vec<Order> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match trouble {
            // These came in place of a reply.
            Trouble::Unreachable(_) | Trouble::Key { .. } | Trouble::Limited { .. } | Trouble::Refused { .. }
                if self.text.is_empty() && self.blocks.is_empty() =>
            {
                self.purse.forget();
            }
            _ => self.purse.settle(),
        }
        self.fail(trouble, now)
    }

    /// What it cost so far, with the worst case of a request that is under way.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.purse.tally()
    }

    fn on_text(&mut self, text: &str) -> Vec<Order> {
        self.purse.wrote(text.len());
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Vec::new();
        }
        self.text.push_str(text);
        match self.blocks.last_mut() {
            Some(Block::Text(before)) => before.push_str(text),
            _ => self.blocks.push(Block::Text(text.to_owned())),
        }
        if self.phase == Phase::Placing {
            return Vec::new();
        }
        let lines: Vec<Arc<str>> = text.split('\n').map(|line| sanitize(line, TEXT_BYTES_MAX)).collect();
        vec![Order::Tell(Saying::Text(Arc::from(lines.join("\n"))))]
    }

    /// Puts the question to the model that reasons, with what the embedded answer says as its first facts.
    fn reason(&mut self, answer: &Answer, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        self.phase = Phase::Reasoning;
        let lines = self.sheet.take(ground, answer);
        let facts = fenced(&self.fence, &lines);
        let asked = format!("The question: {}\n\nThe console's answer:\n{facts}", harmless(&self.question));
        self.turns = vec![Turn::Asked(asked)];
        self.go_on(ground, now)
    }

    fn go_on(&mut self, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        let request = ModelRequest {
            model: self.settings.reasoning.name.clone(),
            system: prompt::reasoning(ground, &self.fence),
            turns: self.turns.clone(),
            tools: look::specs(),
            // The last request has to be an answer.
            may_look: self.requests + 1 < self.settings.turns_max,
            tokens_max: self.settings.reply_tokens_max,
        };
        self.send(request, now)
    }

    fn send(&mut self, mut request: ModelRequest, now: Timestamp) -> Vec<Order> {
        self.blocks.clear();
        self.text.clear();
        let price = match self.phase {
            Phase::Placing => self.settings.classification.clone(),
            _ => self.settings.reasoning.clone(),
        };
        let bytes = api::body(&request, &self.settings).to_string().len() as u64;
        let room = match self.purse.begin(&price, bytes) {
            Ok(room) => room,
            Err(trouble) => return self.fail(&trouble, now),
        };
        request.tokens_max = request.tokens_max.min(room);
        let body = api::body(&request, &self.settings).to_string();
        let is_first = self.phase == Phase::Placing || self.requests == 0;
        if self.phase == Phase::Reasoning {
            self.requests += 1;
        }
        self.bytes_sent += body.len() as u64;
        let begun = Saying::Begun { model: Arc::from(request.model), bytes: body.len() as u64 };
        let mut orders = Vec::new();
        if is_first {
            orders.push(Order::Tell(begun));
        }
        orders.push(Order::Send(body));
        orders
    }

    /// The smaller model has said what the question is after.
    fn placed(&mut self, stop: Stop, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        let read = match stop {
            Stop::Finished | Stop::Other(_) => placing::read(&self.text, &self.book),
            Stop::TokensMax => Err("it did not come to an end".to_owned()),
            Stop::Declined(why) => return self.fail(&Trouble::Declined(why), now),
            Stop::Tools | Stop::Paused => Err("it wanted to look instead".to_owned()),
        };
        match read {
            Err(words) => self.fail(&Trouble::NotPlaced(words), now),
            Ok((Intent::Act, _)) => self.fail(&Trouble::NotForModels, now),
            Ok((Intent::OutOfScope, _)) => self.fail(&Trouble::NotWatched, now),
            Ok((intent, slots)) => {
                let answer = look::planned(ground, &self.book, intent, slots);
                let mut orders = vec![Order::Tell(Saying::Placed(Placed::of(&answer)))];
                orders.extend(self.reason(&answer, ground, now));
                orders
            }
        }
    }

    fn stopped(&mut self, stop: Stop, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        let has_calls = self.blocks.iter().any(|block| matches!(block, Block::Call(_)));
        match stop {
            Stop::Tools if has_calls => self.look(ground, now),
            Stop::Finished | Stop::Tools => self.conclude(None, ground, now),
            Stop::TokensMax => {
                let note =
                    "The reply reached its limit, so its end is missing; raise `reply_tokens_max` under [ask.model].";
                self.conclude(Some(Arc::from(note)), ground, now)
            }
            Stop::Other(reason) => {
                let note = format!("The model's server ended the reply for a reason of its own: {reason}.");
                self.conclude(Some(Arc::from(note)), ground, now)
            }
            Stop::Declined(why) => self.fail(&Trouble::Declined(why), now),
            Stop::Paused if self.requests < self.settings.turns_max => {
                self.keep_reply();
                self.go_on(ground, now)
            }
            Stop::Paused => self.fail(&Trouble::Turns { turns: self.requests }, now),
        }
    }

    /// What the model said goes back to it with the next request; a text of blanks is refused there.
    fn keep_reply(&mut self) {
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.retain(|block| !matches!(block, Block::Text(text) if text.trim().is_empty()));
        self.turns.push(Turn::Said(blocks));
    }

    /// Uses the tools that the model asks for, as far as they are on the list.
    fn look(&mut self, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        if self.requests >= self.settings.turns_max {
            return self.fail(&Trouble::Turns { turns: self.requests }, now);
        }
        let calls: Vec<ToolRequest> = self
            .blocks
            .iter()
            .filter_map(|block| if let Block::Call(call) = block { Some(call.clone()) } else { None })
            .collect();
        let mut orders = Vec::new();
        let mut results = Vec::new();
        for (at, call) in calls.into_iter().enumerate() {
            let found = if at < CALLS_MAX {
                self.look_once(&call, ground, &mut orders)
            } else {
                Err(format!("no more than {CALLS_MAX} looks at once; ask again"))
            };
            let (text, is_error) = match found {
                Ok(text) => (text, false),
                Err(words) => (words, true),
            };
            results.push(ToolResult { id: call.id, text, is_error });
        }
        self.keep_reply();
        self.turns.push(Turn::Found(results));
        orders.extend(self.go_on(ground, now));
        orders
    }

    fn look_once(
        &mut self,
        call: &ToolRequest,
        ground: &Ground<'_>,
        orders: &mut Vec<Order>,
    ) -> Result<String, String> {
        let look = Look::of(call)?;
        let about = Arc::from(harmless(&look.subject()));
        orders.push(Order::Tell(Saying::Looked { tool: Arc::from(look.name()), about }));
        let lines = look.run(ground, &self.book, &mut self.asked, &mut self.sheet)?;
        Ok(fenced(&self.fence, &lines))
    }

    /// Holds what was said against the facts.
    fn conclude(&mut self, note: Option<Arc<str>>, ground: &Ground<'_>, now: Timestamp) -> Vec<Order> {
        if self.text.trim().is_empty() {
            let why =
                if note.is_some() { " before its limit was reached; raise `reply_tokens_max`" } else { "; ask again" };
            return self.fail(&Trouble::Silent(why), now);
        }
        let checked = check(&self.text, &self.sheet, &self.book);
        let draft = (!checked.steps.is_empty()).then(|| Draft {
            page: Arc::from(draft::page(&self.question, &problem(ground), &checked.steps)),
            steps: checked.steps,
        });
        let struck_count = checked.sentences.iter().filter(|sentence| sentence.is_struck()).count();
        let ended = Ended { sentences: checked.sentences, struck_count, draft, note, spent: self.spent(now) };
        self.phase = Phase::Over;
        vec![Order::Tell(Saying::Ended(ended)), Order::End]
    }

    fn fail(&mut self, trouble: &Trouble, now: Timestamp) -> Vec<Order> {
        self.phase = Phase::Over;
        let reason = format!("The embedded answer stands: {trouble}.");
        vec![Order::Tell(Saying::Failed { reason: Arc::from(reason), spent: self.spent(now) }), Order::End]
    }

    fn spent(&self, now: Timestamp) -> Spent {
        let tally = self.purse.tally();
        Spent {
            tokens_in: tally.tokens_in,
            tokens_out: tally.tokens_out,
            cost_usd: tally.usd,
            bytes_sent: self.bytes_sent,
            took_ms: now.0 - self.began_at.0,
        }
    }
}

/// The kind of the cause that is suspected, as runbooks call it.
fn problem(ground: &Ground<'_>) -> String {
    let cause = ground.incident(&Slots::default()).and_then(|incident| incident.ranking.cause());
    let kind = cause.and_then(|cause| serde_json::to_value(cause.kind).ok());
    kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("internal_errors").to_owned()
}
