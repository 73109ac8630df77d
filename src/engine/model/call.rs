//! What a step calls in the outside world: one kind a way of reaching it. Everything in it is data that was bound and
//! checked; nothing in it is ever read by a shell.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One call to the outside world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// A program of this machine; `kubectl` is one, and its owners are looked up first.
    Command {
        /// Program and arguments; never empty.
        argv: Vec<Arc<str>>,
    },
    /// A program of another machine, reached by the system's `ssh`.
    Ssh {
        /// Which machine: a name or an address, without a user.
        host: Arc<str>,
        /// Program and arguments there; never empty.
        argv: Vec<Arc<str>>,
    },
    /// An Ansible playbook of the folder that the settings name.
    Playbook(Play),
    /// An AWX (or Automation Platform) job template that the settings name, over its REST API; `what` is its name there.
    JobTemplate(Play),
    /// An HTTP request to an endpoint that the settings name.
    Http(HttpCall),
}

/// What Ansible is to do, where, and with which values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// The playbook's file name within its folder, or the job template's name.
    pub what: Arc<str>,
    /// The hosts it is limited to; never empty.
    pub limit: Arc<str>,
    /// Variables handed to it, as text.
    pub vars: BTreeMap<Arc<str>, Arc<str>>,
    /// True for a run in check mode: it says what it would change. Tasks that do not support it say nothing.
    pub is_check: bool,
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The endpoint's name in the settings, which have its address and its secret.
    pub endpoint: Arc<str>,
    /// What is asked of it.
    pub method: HttpMethod,
    /// Below the endpoint's address, beginning with `/`; values in it are percent-encoded, so that none can leave its segment.
    pub path: Arc<str>,
    /// Sent as JSON; `Null` for none. Values are whole texts in it, never pieces of JSON.
    #[serde(default, with = "any_json")]
    pub body: serde_json::Value,
    /// Answers that count as done; empty for any from 200 to 299.
    #[serde(default)]
    pub statuses: Vec<u16>,
}

/// JSON of any shape: as it is where text is written, and as one text where it is not. Only what says its own shape can be read
/// without knowing it, which postcard does not.
mod any_json {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return value.serialize(to);
        }
        serde_json::to_string(value).map_err(S::Error::custom)?.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        if from.is_human_readable() {
            return Value::deserialize(from);
        }
        serde_json::from_str(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// The methods that steps may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Looks only.
    Get,
    /// Asks for something to be done.
    Post,
    /// Replaces something.
    Put,
    /// Changes a part of something.
    Patch,
    /// Takes something away.
    Delete,
}

impl HttpMethod {
    /// As it is written on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Call {
    /// What is started, in words that people read as a command: every element by itself, in order. For a local command
    /// these are exactly its arguments.
    #[must_use]
    pub fn words(&self) -> Vec<Arc<str>> {
        match self {
            Self::Command { argv } => argv.clone(),
            Self::Ssh { host, argv } => {
                let before = ["ssh", host.as_ref(), "--"].map(Arc::from);
                before.into_iter().chain(argv.iter().cloned()).collect()
            }
            Self::Playbook(play) => play.words("ansible-playbook", ["--limit", "--check"]),
            Self::JobTemplate(play) => play.words("awx-job", ["--limit", "--job_type=check"]),
            Self::Http(call) => {
                let mut words =
                    vec![Arc::from(call.method.as_str()), format!("{}:{}", call.endpoint, call.path).into()];
                if !call.body.is_null() {
                    words.push(call.body.to_string().into());
                }
                words
            }
        }
    }

    /// What the allow-list of the tool layer is asked for: a program, or `ssh`, `ansible-playbook`, `awx`, `http`.
    #[must_use]
    pub fn program(&self) -> &str {
        match self {
            Self::Command { argv } => argv.first().map_or("", AsRef::as_ref),
            Self::Ssh { .. } => "ssh",
            Self::Playbook(_) => "ansible-playbook",
            Self::JobTemplate(_) => "awx",
            Self::Http(_) => "http",
        }
    }
}

impl Play {
    fn words(&self, program: &str, [limit, check]: [&str; 2]) -> Vec<Arc<str>> {
        let mut words: Vec<Arc<str>> = [program, &self.what, limit, &self.limit].map(Arc::from).to_vec();
        for (name, value) in &self.vars {
            words.push(Arc::from("-e"));
            words.push(format!("{name}={value}").into());
        }
        if self.is_check {
            words.push(Arc::from(check));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play() -> Play {
        let vars = BTreeMap::from([(Arc::from("unit"), Arc::from("nginx; reboot"))]);
        Play { what: "restart.yml".into(), limit: "web-1".into(), vars, is_check: true }
    }

    #[test]
    fn every_call_says_all_of_what_it_does() {
        let words = |call: Call| call.words().join("|");
        assert_eq!(words(Call::Command { argv: vec!["ls".into(), "a b".into()] }), "ls|a b");
        assert_eq!(words(Call::Ssh { host: "db-1".into(), argv: vec!["uptime".into()] }), "ssh|db-1|--|uptime");
        let told = "ansible-playbook|restart.yml|--limit|web-1|-e|unit=nginx; reboot|--check";
        assert_eq!(words(Call::Playbook(play())), told);
        assert!(words(Call::JobTemplate(play())).ends_with("|--job_type=check"));
        let call = HttpCall {
            endpoint: "argo".into(),
            method: HttpMethod::Put,
            path: "/api/v1/rollouts/prod/payment/abort".into(),
            body: serde_json::json!({ "name": "payment" }),
            statuses: Vec::new(),
        };
        // Pictures hold calls and are written without names.
        let bytes = postcard::to_stdvec(&call).unwrap();
        assert_eq!(postcard::from_bytes::<HttpCall>(&bytes).unwrap(), call);
        let text = serde_json::to_string(&call).unwrap();
        assert!(text.contains(r#""body":{"name":"payment"}"#), "{text}");
        assert_eq!(serde_json::from_str::<HttpCall>(&text).unwrap(), call);
        assert_eq!(words(Call::Http(call)), r#"PUT|argo:/api/v1/rollouts/prod/payment/abort|{"name":"payment"}"#);
    }
}
