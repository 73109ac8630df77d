//! The way out to a language model: sends what `ask::assistant` orders, hands in what comes back, and keeps time and money. What is
//! sent, what may be looked at and what of the reply stands is decided there.

mod key;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::ask::answer::Answer;
use super::ask::assistant::api::event::ModelEvent;
use super::ask::assistant::api::{self, ReplyReader};
use super::ask::assistant::dialogue::{Dialogue, Order};
pub use super::ask::assistant::purse::DaySpend;
pub use super::ask::assistant::saying::{CheckedSentence, Draft, Ended, Placed, Saying, Spent, ToldClaim, Verdict};
use super::ask::assistant::trouble::{self, Trouble};
use super::ask::ground::Ground;
use super::ask::recall::Archive;
use super::clock::SECOND_MS;
use super::ingest::http_client::{AskError, ClientSettings, HttpStream, HttpStreamer, Opened};
use super::ingest::wall_clock;
use super::model::{IncidentId, PastValues};
use super::settings::{ModelApi, ModelSettings, SecretSource};
use super::snapshot::Snapshot;

/// Headers of the Messages API: its version.
const ANTHROPIC_HEADERS: [(&str, &str); 1] = [("anthropic-version", "2023-06-01")];

/// A model as it is configured. One question is asked at a time, so that a day's limits hold.
#[derive(Debug)]
pub struct LanguageModel {
    settings: ModelSettings,
    spend: Mutex<DaySpend>,
}

/// What is said of a model's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCheck {
    /// Its server's address without secrets; empty where that cannot be told.
    pub address: Arc<str>,
    /// Whether a key is configured.
    pub has_key: bool,
    /// What is wrong and what to do; `None` where nothing is.
    pub problem: Option<String>,
}

/// Looks at the settings, key included; `None` where no model is enabled. Nothing is sent.
#[must_use]
pub fn check(settings: &ModelSettings) -> Option<ModelCheck> {
    if !settings.enabled {
        return None;
    }
    let has_key = settings.key != SecretSource::default();
    Some(match client(settings) {
        Ok(client) => ModelCheck { address: Arc::clone(client.address()), has_key, problem: None },
        Err(problem) => ModelCheck { address: Arc::from(""), has_key, problem: Some(problem) },
    })
}

impl LanguageModel {
    /// A model by these settings. Nothing is sent, and no key read, before somebody asks.
    #[must_use]
    pub fn new(settings: &ModelSettings) -> Self {
        Self { settings: settings.clone(), spend: Mutex::new(DaySpend::default()) }
    }

    /// Whether questions may be put to it.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// What the day has cost so far, for whoever keeps it.
    pub async fn spend(&self) -> DaySpend {
        *self.spend.lock().await
    }

    /// Takes over what was kept of an earlier life of the program.
    pub async fn resume(&self, kept: DaySpend) {
        *self.spend.lock().await = kept;
    }

    /// Puts `question` to the model beside its embedded `answer`, and tells what comes of it to `tell`, at last
    /// [`Saying::Ended`] or [`Saying::Failed`]. Ends at once where nobody listens any more; what was begun is paid for.
    pub async fn consult(
        &self,
        question: &str,
        answer: &Answer,
        known: Known,
        zone: Tz,
        focus: Option<IncidentId>,
        tell: mpsc::Sender<Saying>,
    ) {
        let asked = async {
            let mut spend = self.spend.lock().await;
            let now = wall_clock::now();
            let before = spend.at(now);
            // A look of a model is by what the picture has.
            let archive = Archive::default();
            let Known { picture, past } = &known;
            let ground = Ground { snapshot: picture, zone, focus, archive: &archive, past };
            let (dialogue, orders) = Dialogue::begin(&self.settings, question, answer, &ground, before, now);
            let lasts = Duration::from_millis(self.settings.timeout.0.unsigned_abs());
            let mut consultation = Consultation {
                settings: &self.settings,
                dialogue,
                ground,
                before,
                spend: &mut spend,
                tell: &tell,
                deadline: Instant::now() + lasts,
                waiting: orders.into(),
            };
            consultation.run().await;
        };
        tokio::select! {
            () = asked => {}
            () = tell.closed() => {}
        }
    }
}

/// What a question is answered from.
#[derive(Debug, Clone)]
pub struct Known {
    /// The newest picture.
    pub picture: Arc<Snapshot>,
    /// What was measured at other times.
    pub past: Arc<PastValues>,
}

/// One question under way.
struct Consultation<'a> {
    settings: &'a ModelSettings,
    dialogue: Dialogue,
    ground: Ground<'a>,
    before: DaySpend,
    spend: &'a mut DaySpend,
    tell: &'a mpsc::Sender<Saying>,
    deadline: Instant,
    waiting: VecDeque<Order>,
}

impl Consultation<'_> {
    async fn run(&mut self) {
        let mut http = None;
        while let Some(order) = self.waiting.pop_front() {
            match order {
                Order::Tell(saying) => {
                    // Who went away is noticed by `consult`.
                    let _gone = self.tell.send(saying).await;
                }
                Order::Send(body) => {
                    self.book();
                    let known = match http.take() {
                        Some(known) => Ok(known),
                        None => client(self.settings).map_err(Trouble::Configuration),
                    };
                    match known {
                        Ok(known) => {
                            self.exchange(&known, body).await;
                            http = Some(known);
                        }
                        Err(trouble) => self.take_trouble(&trouble),
                    }
                    self.book();
                }
                Order::End => return,
            }
        }
    }

    /// What a question costs counts from the moment at which it may cost it: a program that ends in the middle has paid.
    fn book(&mut self) {
        *self.spend = self.before.and(self.dialogue.tally());
    }

    fn take_trouble(&mut self, trouble: &Trouble) {
        let orders = self.dialogue.on_trouble(trouble, wall_clock::now());
        self.waiting.extend(orders);
    }

    /// Sends one request and reads its reply to the end.
    async fn exchange(&mut self, http: &HttpStreamer, body: String) {
        let headers = match self.settings.api {
            ModelApi::Anthropic => ANTHROPIC_HEADERS.as_slice(),
            ModelApi::Openai => &[],
        };
        let opened = http.open(api::path(self.settings.api), headers, body);
        let opened = match timeout_at(self.deadline, opened).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(problem)) => return self.take_trouble(&self.trouble(&problem)),
            Err(_) => return self.take_trouble(&self.too_slow()),
        };
        match opened {
            Opened::Stream(mut stream) => self.read(&mut stream).await,
            Opened::Refused { status, body, retry_after_ms } => {
                self.take_trouble(&trouble::of_status(http.address(), status, &body, retry_after_ms));
            }
        }
    }

    async fn read(&mut self, stream: &mut HttpStream) {
        let mut reader = ReplyReader::new(self.settings.api);
        let stall = Duration::from_millis(self.settings.stall.0.unsigned_abs());
        loop {
            let piece = match timeout_at(self.deadline, timeout(stall, stream.next())).await {
                Ok(Ok(Ok(piece))) => piece,
                Ok(Ok(Err(AskError::TimedOut { .. }))) | Err(_) => return self.take_trouble(&self.too_slow()),
                // A connection that breaks is a reply that was cut off, whatever broke it.
                Ok(Ok(Err(_))) => None,
                Ok(Err(_)) => {
                    let seconds = self.settings.stall.0.div_euclid(SECOND_MS);
                    return self.take_trouble(&Trouble::Stalled { seconds });
                }
            };
            let events = match &piece {
                Some(bytes) => reader.push(bytes),
                None => reader.finish().into_iter().collect(),
            };
            for event in events {
                let is_end = matches!(event, ModelEvent::Stopped(_) | ModelEvent::Failed(_));
                for order in self.dialogue.on_event(event, &self.ground, wall_clock::now()) {
                    match order {
                        // What it writes is told as it comes.
                        Order::Tell(saying) if !is_end => {
                            let _gone = self.tell.send(saying).await;
                        }
                        other => self.waiting.push_back(other),
                    }
                }
                if is_end {
                    return;
                }
            }
            if piece.is_none() {
                return;
            }
        }
    }

    fn too_slow(&self) -> Trouble {
        Trouble::TooSlow { seconds: self.settings.timeout.0.div_euclid(SECOND_MS) }
    }

    fn trouble(&self, problem: &AskError) -> Trouble {
        match problem {
            AskError::TimedOut { .. } => self.too_slow(),
            other => Trouble::Unreachable(other.to_string()),
        }
    }
}

/// The client of the configured server, with its key.
fn client(settings: &ModelSettings) -> Result<HttpStreamer, String> {
    let key = key::key(&settings.key)?;
    let none = SecretSource::default();
    let (bearer, secret) = match settings.api {
        // The key was read and looked at above; the client reads it by the same way.
        ModelApi::Openai => (&settings.key, None),
        ModelApi::Anthropic => (&none, key.map(|key| ("x-api-key", key))),
    };
    let settings = ClientSettings {
        name: key::NAME,
        url: &settings.url,
        timeout_ms: settings.timeout.0,
        bearer,
        username: None,
        password: &none,
        headers: None,
        ca_file: settings.ca_file.as_deref(),
    };
    HttpStreamer::new(settings, secret).map_err(|problem| problem.to_string())
}
