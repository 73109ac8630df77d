//! The language model beside an answer of `hypo ask`: what it said, each line marked as its own.

use std::io;
use std::sync::Arc;

use chrono_tz::Tz;
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::output;
use crate::engine::ask::answer::Answer;
use crate::engine::language_model::{CheckedSentence, Ended, Known, LanguageModel, Placed, Saying, Spent, Verdict};
use crate::engine::model::human_count;
use crate::engine::settings::ModelSettings;

/// Sayings that wait to be taken.
const SAYINGS_MAX: usize = 256;

/// What came of asking a model, as JSON.
#[derive(Serialize, Default)]
pub(super) struct Consulted {
    models: Vec<Arc<str>>,
    looked: Vec<Looked>,
    placed: Option<Placed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failed>,
}

#[derive(Serialize)]
struct Looked {
    tool: Arc<str>,
    about: Arc<str>,
}

#[derive(Serialize)]
struct Failed {
    reason: Arc<str>,
    #[serde(flatten)]
    spent: Spent,
}

/// A model and what it is asked on.
pub(super) struct Consultant {
    model: LanguageModel,
    tasks: Runtime,
}

impl Consultant {
    pub(super) fn new(settings: &ModelSettings, tasks: Runtime) -> Self {
        Self { model: LanguageModel::new(settings), tasks }
    }

    /// Asks, and waits for the end.
    pub(super) fn consult(&self, question: &str, answer: &Answer, known: &Known, zone: Tz) -> Consulted {
        let (tell, mut told) = mpsc::channel(SAYINGS_MAX);
        let mut consulted = Consulted::default();
        self.tasks.block_on(async {
            let asked = self.model.consult(question, answer, known.clone(), zone, None, tell);
            let heard = async {
                while let Some(saying) = told.recv().await {
                    consulted.take(saying);
                }
            };
            tokio::join!(asked, heard);
        });
        consulted
    }
}

impl Consulted {
    /// Takes in what is said next.
    pub(super) fn take(&mut self, saying: Saying) {
        match saying {
            Saying::Begun { model, .. } => self.models.push(model),
            // What counts is what stands at the end.
            Saying::Text(_) => {}
            Saying::Looked { tool, about } => self.looked.push(Looked { tool, about }),
            Saying::Placed(placed) => self.placed = Some(placed),
            Saying::Ended(ended) => self.ended = Some(ended),
            Saying::Failed { reason, spent } => self.failed = Some(Failed { reason, spent }),
        }
    }

    /// Prints it, each line marked as a model's.
    pub(super) fn print(&self) -> io::Result<()> {
        if let Some(placed) = &self.placed {
            output::line(&format!(
                "  a model placed the question; this is the embedded answer to `{}`:",
                placed.intent.name()
            ))?;
            for claim in &placed.claims {
                output::line(&format!("  - {}", claim.text))?;
            }
            for missing in &placed.missing {
                output::line(&format!("  not known: {missing}"))?;
            }
        }
        for Looked { tool, about } in &self.looked {
            output::line(&format!("  model, looked: {tool} {about}"))?;
        }
        if let Some(ended) = &self.ended {
            for sentence in &ended.sentences {
                output::line(&marked(sentence))?;
            }
            for step in ended.draft.iter().flat_map(|draft| &draft.steps) {
                output::line(&proposed(step))?;
            }
            if ended.draft.is_some() {
                output::line(
                    "  model: nothing of this was done; with --json the draft of a runbook is in `model.ended.draft.page`",
                )?;
            }
            if let Some(note) = &ended.note {
                output::line(&format!("  model: {note}"))?;
            }
            output::line(&format!("  model: {}; {} struck", self.cost(&ended.spent), ended.struck_count))?;
        }
        if let Some(failed) = &self.failed {
            output::line(&format!("  model: {}", failed.reason))?;
            if failed.spent.bytes_sent > 0 {
                output::line(&format!("  model: {}", self.cost(&failed.spent)))?;
            }
        }
        Ok(())
    }

    fn cost(&self, spent: &Spent) -> String {
        let usd = spent.cost_usd.map_or("price not configured".to_owned(), |usd| format!("{usd:.4} USD"));
        format!(
            "{}; {} tokens in, {} out; {usd}; {:.1} s; {} bytes sent",
            self.models.join(", "),
            human_count(spent.tokens_in),
            human_count(spent.tokens_out),
            spent.took_ms as f64 / 1_000.0,
            human_count(spent.bytes_sent)
        )
    }
}

fn marked(sentence: &CheckedSentence) -> String {
    match &sentence.verdict {
        Verdict::Supported { .. } => format!("  model, by facts: {}", sentence.text),
        Verdict::Unchecked => format!("  model, no fact: {}", sentence.text),
        Verdict::Struck { reason } => format!("  model, STRUCK: {} ({reason})", sentence.text),
    }
}

fn proposed(step: &CheckedSentence) -> String {
    match &step.verdict {
        Verdict::Struck { reason } => format!("  model, STRUCK: {} ({reason})", step.text),
        _ => format!("  model, proposes: {}", step.text),
    }
}
