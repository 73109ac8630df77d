//! Launches a job template of an AWX over its REST API, watches the job and shows its output.
//!
//! Asked before it is launched: whether the template takes what the step sets. A field that AWX ignored all the same is a
//! failure, and the job is cancelled: a job without its limit works on every host. A launch is sent again only where it
//! certainly did not arrive. A job whose end cannot be seen is unknown, with its address.

mod reach;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::ansible::check_limit;
use super::{Attempt, lost, not_started, stopped};
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, NotTold, Told};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::input::StepProgress;
use crate::engine::limits::{STEP_OUTPUT_LINES_MAX, WARNING_BYTES_MAX};
use crate::engine::model::Play;
use crate::engine::settings::{AwxSettings, SecretSource};

/// Longest wait for one answer.
const ANSWER_MS_MAX: i64 = 30_000;
/// A launch that certainly did not arrive is sent this often in all.
const LAUNCHES_MAX: u32 = 3;
/// Between two of those.
const LAUNCH_PAUSE: Duration = Duration::from_millis(500);
/// A cancelled job is watched for its end for this long.
const CANCEL_WATCH_MAX: Duration = Duration::from_secs(10);
/// A job that ended without one host that was worked on.
const NO_HOST: i32 = 1;
/// The exit codes of `ansible-playbook`, for jobs that call themselves successful and were not.
const A_TASK_FAILED: i32 = 2;
const UNREACHABLE: i32 = 4;

/// Launches the template and stays with its job to its end, its timeout or its stop.
pub async fn run(play: &Play, settings: &AwxSettings, attempt: &Attempt) -> StepProgress {
    let awx = match Awx::new(play, settings, attempt) {
        Ok(awx) => awx,
        Err(reason) => return not_started(reason),
    };
    let prepared = tokio::select! {
        prepared = awx.prepare(play) => prepared,
        () = attempt.stop.notified() => Err("stopped by a person before anything was launched".to_owned()),
    };
    let launch = match prepared {
        Ok(launch) => launch,
        Err(reason) => return not_started(reason),
    };
    match awx.launch(&launch).await {
        Launched::Job { id, ignored } if ignored.is_empty() => awx.watch(id).await,
        Launched::Job { id, ignored } => awx.take_back(id, &ignored).await,
        Launched::Not(end) => end,
    }
}

/// One conversation with an AWX.
struct Awx<'a> {
    sender: HttpSender,
    settings: &'a AwxSettings,
    attempt: &'a Attempt,
}

/// A launch that is ready to be sent.
struct Launch {
    template: u64,
    body: Value,
}

enum Launched {
    Job { id: u64, ignored: String },
    Not(StepProgress),
}

/// Whether the template may be launched as the settings are.
pub(in crate::engine::act) fn check(play: &Play, settings: &AwxSettings) -> Result<(), String> {
    if settings.url.is_empty() {
        return Err("no AWX is configured; set `url` under [runbooks.awx]".to_owned());
    }
    if !settings.templates.iter().any(|name| name == play.what.as_ref()) {
        return Err(format!("`{}` is not among `templates` under [runbooks.awx]", play.what.escape_debug()));
    }
    Ok(())
}

impl<'a> Awx<'a> {
    fn new(play: &Play, settings: &'a AwxSettings, attempt: &'a Attempt) -> Result<Self, String> {
        check(play, settings)?;
        let none = SecretSource::default();
        let sender = HttpSender::new(ClientSettings {
            name: "awx",
            url: &settings.url,
            timeout_ms: i64::try_from(attempt.left().as_millis()).unwrap_or(i64::MAX).min(ANSWER_MS_MAX),
            bearer: &settings.token,
            username: None,
            password: &none,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })
        .map_err(|problem| problem.to_string())?;
        Ok(Self { sender, settings, attempt })
    }

    fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.settings.api.trim_end_matches('/'))
    }

    /// Where a person looks at a job.
    fn page(&self, job: u64) -> String {
        format!("{}/#/jobs/playbook/{job}", self.sender.address())
    }

    async fn get(&self, rest: &str, query: &[(&str, &str)]) -> Result<Told, NotTold> {
        self.sender.send(Method::GET, &self.path(rest), query, None).await
    }

    async fn get_json(&self, rest: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let told = self.get(rest, query).await.map_err(|problem| problem.to_string())?;
        if told.status != 200 {
            return Err(self.refusal(&told));
        }
        serde_json::from_slice(&told.body)
            .map_err(|problem| format!("{} answered something else than JSON: {problem}", self.sender.address()))
    }

    /// What it says of what it did not do.
    fn refusal(&self, told: &Told) -> String {
        let text = String::from_utf8_lossy(&told.body);
        let words = serde_json::from_str::<Value>(&text).map_or_else(
            |_| text.lines().next().unwrap_or_default().to_owned(),
            |value| value["detail"].as_str().map_or_else(|| value.to_string(), str::to_owned),
        );
        let said = format!("{} answered {}: {words}", self.sender.address(), told.status);
        sanitize(&said, WARNING_BYTES_MAX).to_string()
    }

    /// Finds the template and looks whether it takes what the step sets.
    async fn prepare(&self, play: &Play) -> Result<Launch, String> {
        let found = self.get_json("/job_templates/", &[("name", &play.what)]).await?;
        let named = found["results"].as_array().map_or(&[][..], Vec::as_slice);
        let named: Vec<&Value> = named.iter().filter(|one| one["name"].as_str() == Some(play.what.as_ref())).collect();
        let id = match named[..] {
            [one] => one["id"].as_u64().ok_or("the template has no number")?,
            [] => return Err(format!("{} has no job template `{}`", self.sender.address(), play.what)),
            _ => {
                return Err(format!("{} has several job templates `{}`; rename one", self.sender.address(), play.what));
            }
        };
        let asks = self.get_json(&format!("/job_templates/{id}/launch/"), &[]).await?;
        let body = launch_body(play, &asks)?;
        self.check_reach(&play.limit, &asks).await?;
        Ok(Launch { template: id, body })
    }

    /// Sends the launch, once: again only where it certainly did not arrive.
    async fn launch(&self, launch: &Launch) -> Launched {
        let path = self.path(&format!("/job_templates/{}/launch/", launch.template));
        for sent_before in 1.. {
            if let Some(reason) = self.attempt.hold() {
                return Launched::Not(not_started(reason));
            }
            match self.sender.send(Method::POST, &path, &[], Some(&launch.body)).await {
                Ok(told) => return self.launched(&told),
                Err(problem) if problem.may_have_arrived => {
                    return Launched::Not(lost(format!(
                        "{problem}; the launch may have arrived: look for the job at {}/#/jobs",
                        self.sender.address()
                    )));
                }
                Err(problem) if sent_before >= LAUNCHES_MAX => return Launched::Not(not_started(problem.to_string())),
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(LAUNCH_PAUSE) => {}
                () = self.attempt.stop.notified() => {
                    return Launched::Not(not_started("stopped by a person before anything was launched"));
                }
            }
        }
        Launched::Not(not_started("it was not launched"))
    }

    fn launched(&self, told: &Told) -> Launched {
        let answer: Value = serde_json::from_slice(&told.body).unwrap_or_default();
        let id = answer["job"].as_u64().or_else(|| answer["id"].as_u64());
        match (told.status, id) {
            (200..=299, Some(id)) => Launched::Job { id, ignored: ignored(&answer["ignored_fields"]) },
            // It was taken, and what became of it is not said; or something on the way failed after it.
            (200..=299 | 500.., _) => Launched::Not(lost(format!(
                "{}; whether the job was launched is not certain: look for it at {}/#/jobs",
                self.refusal(told),
                self.sender.address()
            ))),
            _ => Launched::Not(not_started(self.refusal(told))),
        }
    }

    /// The job runs with less than the step says: it is cancelled.
    async fn take_back(&self, id: u64, ignored: &str) -> StepProgress {
        self.attempt.say(&format!("AWX ignored {ignored}; job {id} is cancelled")).await;
        let reason = format!("AWX ignored {ignored}, so the job did not run as approved");
        self.cancel(id, &reason).await
    }

    /// Cancels the job and watches for its end, which is what may be told.
    async fn cancel(&self, id: u64, reason: &str) -> StepProgress {
        let path = self.path(&format!("/jobs/{id}/cancel/"));
        // What came of the asking is seen by the job itself.
        let _asked = self.sender.send(Method::POST, &path, &[], None).await;
        let looks = async {
            loop {
                if let Ok(job) = self.get_json(&format!("/jobs/{id}/"), &[]).await
                    && let Some(status) = job["status"].as_str().filter(|status| is_over(status))
                {
                    return status.to_owned();
                }
                sleep(self.poll()).await;
            }
        };
        match tokio::time::timeout(CANCEL_WATCH_MAX, looks).await {
            Ok(status) => stopped(format!("{reason}; job {id} ended as {status}: {}", self.page(id))),
            Err(_) => lost(format!("{reason}, and job {id} was not seen to end: look at {}", self.page(id))),
        }
    }

    fn poll(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.settings.poll.0).unwrap_or(0).max(10))
    }

    /// Looks at the job until it is over. What cannot be asked now is asked again.
    async fn watch(&self, id: u64) -> StepProgress {
        self.attempt.say(&format!("job {id}: {}", self.page(id))).await;
        let mut told_lines = 0;
        loop {
            let job = self.get_json(&format!("/jobs/{id}/"), &[]).await;
            self.tell_output(id, &mut told_lines).await;
            let trouble = match job {
                Ok(job) => {
                    if let Some(status) = job["status"].as_str().filter(|status| is_over(status)) {
                        return self.over(id, status, &job).await;
                    }
                    None
                }
                Err(problem) => Some(problem),
            };
            if self.attempt.left().is_zero() {
                return match trouble {
                    Some(problem) => {
                        lost(format!("{problem}; how job {id} ended is not known: look at {}", self.page(id)))
                    }
                    None => self.cancel(id, &self.attempt.timed_out()).await,
                };
            }
            tokio::select! {
                () = sleep(self.poll().min(self.attempt.left())) => {}
                () = self.attempt.stop.notified() => return self.cancel(id, super::BY_A_PERSON).await,
            }
        }
    }

    /// Tells the lines of the job's output that are new.
    async fn tell_output(&self, id: u64, told_lines: &mut usize) {
        let answer = self.get(&format!("/jobs/{id}/stdout/"), &[("format", "txt")]).await;
        let Ok(told) = answer else { return };
        if told.status != 200 || *told_lines >= STEP_OUTPUT_LINES_MAX {
            return;
        }
        let lines: Vec<Arc<str>> = super::http::shown(&told.body).into_iter().skip(*told_lines).collect();
        *told_lines += lines.len();
        if !lines.is_empty() {
            self.attempt.tell(StepProgress::Output(lines)).await;
        }
    }

    async fn over(&self, id: u64, status: &str, job: &Value) -> StepProgress {
        let explanation = job["job_explanation"].as_str().filter(|text| !text.is_empty());
        if let Some(text) = explanation {
            self.attempt.say(&sanitize(text, WARNING_BYTES_MAX)).await;
        }
        match status {
            "successful" => {
                let code = hosts_code(&job["host_status_counts"]);
                if code != 0 {
                    let counts = sanitize(&job["host_status_counts"].to_string(), WARNING_BYTES_MAX);
                    self.attempt.say(&format!("job {id} calls itself successful, and of its hosts: {counts}")).await;
                }
                self.attempt.exited(code)
            }
            "canceled" => stopped(format!("job {id} was cancelled in AWX: {}", self.page(id))),
            "failed" => self.attempt.exited(A_TASK_FAILED),
            _ => self.attempt.exited(1),
        }
    }
}

/// What is sent, if the template takes it.
fn launch_body(play: &Play, asks: &Value) -> Result<Value, String> {
    let is = |key: &str| asks[key].as_bool().unwrap_or(false);
    let name = &play.what;
    check_limit(&play.limit)?;
    let is_expression = |value: &str| ["{{", "{%", "{#"].iter().any(|open| value.contains(open));
    if let Some((variable, _)) = play.vars.iter().find(|(_, value)| is_expression(value)) {
        return Err(format!(
            "the variable `{variable}` holds braces that an AWX may be set to read as an expression; nothing was launched"
        ));
    }
    if !is("ask_limit_on_launch") {
        return Err(format!(
            "`{name}` takes no limit, so it would work on every host; let it prompt for the limit on launch"
        ));
    }
    if !play.vars.is_empty() && !is("ask_variables_on_launch") && !is("survey_enabled") {
        return Err(format!("`{name}` takes no variables; let it prompt for them on launch"));
    }
    let is_check_anyway = asks["defaults"]["job_type"].as_str() == Some("check");
    if play.is_check != is_check_anyway && !is("ask_job_type_on_launch") {
        return Err(format!(
            "`{name}` takes no job type, so check mode cannot be chosen; let it prompt for it on launch"
        ));
    }
    if asks["passwords_needed_to_start"].as_array().is_some_and(|needed| !needed.is_empty()) {
        return Err(format!("`{name}` asks for a password; give its credential one"));
    }
    let needed = asks["variables_needed_to_start"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(missing) = needed.iter().filter_map(Value::as_str).find(|needed| !play.vars.contains_key(*needed)) {
        return Err(format!("`{name}` needs the variable `{missing}`, which the step does not set"));
    }
    let mut body = Map::new();
    body.insert("limit".to_owned(), json!(play.limit));
    if !play.vars.is_empty() {
        body.insert("extra_vars".to_owned(), json!(play.vars));
    }
    if is("ask_job_type_on_launch") {
        body.insert("job_type".to_owned(), json!(if play.is_check { "check" } else { "run" }));
    }
    Ok(Value::Object(body))
}

/// The names of fields that AWX ignored; empty for none.
fn ignored(fields: &Value) -> String {
    match fields {
        Value::Object(fields) => fields.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and "),
        _ => String::new(),
    }
}

fn is_over(status: &str) -> bool {
    matches!(status, "successful" | "failed" | "error" | "canceled")
}

/// What the hosts of a successful job say: 0 where all that were worked on are well.
fn hosts_code(counts: &Value) -> i32 {
    let Value::Object(counts) = counts else { return 0 };
    let count = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or(0);
    if count("dark") > 0 {
        UNREACHABLE
    } else if count("failures") > 0 {
        A_TASK_FAILED
    } else if counts.values().all(|value| value.as_u64() == Some(0)) {
        NO_HOST
    } else {
        0
    }
}

#[cfg(test)]
mod tests;
