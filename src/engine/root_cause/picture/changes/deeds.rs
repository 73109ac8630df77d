//! What a diff does to a running program, read from its lines.

use super::diff::{Diff, Line, Quantity};
use super::traits::Deed;
use super::words;

const TIME_WORDS: [&str; 9] =
    ["timeout", "deadline", "ttl", "expiry", "expir", "leeway", "grace", "interval", "budget"];
const ROOM_WORDS: [&str; 26] = [
    "max",
    "pool",
    "limit",
    "size",
    "worker",
    "replica",
    "capacity",
    "memory",
    "cpu",
    "quota",
    "thread",
    "buffer",
    "conn",
    "connection",
    "concurrency",
    "queue",
    "batch",
    "heap",
    "partition",
    "shard",
    "unit",
    "request",
    "node",
    "min",
    "burst",
    "per",
];

/// What a diff does, with a line of it for each.
#[must_use]
pub fn deeds(diff: &Diff) -> Vec<(Deed, String)> {
    let mut found: Vec<(Deed, String)> = diff.quantities.iter().filter_map(of_quantity).collect();
    let (gone, come) = diff.net();
    let goes = |of: &[&str]| one_of(&gone, of);
    let comes = |of: &[&str]| one_of(&come, of);
    let mut put = |deed: Deed, word: Option<String>| {
        if let Some(word) = word {
            found.push((deed, word));
        }
    };
    put(Deed::Unbounded, goes(&["limit", "max", "top", "bound", "truncat", "pagin", "cap", "maxlen", "trim", "evict"]));
    put(
        Deed::BatchOrCacheDropped,
        goes(&["batch", "bulk", "chunk", "cach", "memo", "coalesc", "buffer", "pool", "prefetch", "debounc"]),
    );
    put(Deed::Leak, scope_dropped(diff).or_else(|| kept_for_good(diff)));
    put(Deed::Leak, goes(&["close", "releas", "cancel", "dispos", "free", "stop", "evict", "unsubscrib", "defer"]));
    put(
        Deed::Concurrency,
        comes(&["mutex", "lock", "goroutin", "synchroniz", "thread", "semaphor", "waitgroup", "rwmutex"])
            .or_else(|| goes(&["mutex", "lock", "unlock", "synchroniz", "semaphor"])),
    );
    put(Deed::Schema, schema_line(diff));
    put(Deed::NewStore, new_store(diff));
    put(Deed::CallsMultiplied, call_in_loop(diff));
    put(Deed::GuardDropped, guard_dropped(diff, &gone));
    put(Deed::StepDropped, step_dropped(diff));
    put(Deed::MoreTold, comes(&["debug", "verbos", "trac"]).or_else(|| louder(diff)));
    put(
        Deed::MoreRetries,
        comes(&["retry", "retr", "attempt", "requeue"]).or_else(|| goes(&["backoff", "jitter", "breaker", "circuit"])),
    );
    put(
        Deed::Address,
        line_with(
            diff,
            &[
                "http://",
                "https://",
                "host:",
                "host =",
                "endpoint",
                "_url",
                "base_url",
                "port:",
                "hostname",
                ".svc.",
                ".internal",
            ],
        ),
    );
    put(Deed::Access, access_line(diff));
    put(
        Deed::Access,
        comes(&[
            "secret", "credenti", "token", "password", "role", "polic", "scope", "audienc", "permiss", "iam", "rbac",
        ])
        .or_else(|| goes(&["secret", "credenti", "password", "role", "polic", "permiss"])),
    );
    put(
        Deed::Format,
        comes(&[
            "serializ",
            "deserializ",
            "unmarshal",
            "marshal",
            "encod",
            "decod",
            "pars",
            "zstd",
            "gzip",
            "avro",
            "protobuf",
        ])
        .or_else(|| goes(&["omitempt", "optional", "default"])),
    );
    found
}

/// The first word that is one of these, whatever its ending.
fn one_of(words: &[String], of: &[&str]) -> Option<String> {
    words.iter().find(|word| of.iter().any(|one| one == word || words::stem(one) == **word)).cloned()
}

fn of_quantity(quantity: &Quantity) -> Option<(Deed, String)> {
    let is = |words: &[&str]| quantity.words.iter().any(|word| words.iter().any(|one| word.starts_with(one)));
    let said = format!("{} to {} in \"{}\"", quantity.written.0, quantity.written.1, quantity.line);
    let is_less = quantity.after < quantity.before;
    // `1` and `0` among other words are seldom amounts.
    if is(&["version"]) {
        return None;
    }
    if is(&["sampl", "verbos"]) && !is_less {
        return Some((Deed::MoreTold, said));
    }
    if is(&["retr", "attempt", "backoff"]) {
        return (!is_less).then_some((Deed::MoreRetries, said));
    }
    if is(&TIME_WORDS) {
        return Some((if is_less { Deed::LessTime } else { Deed::MoreTime }, said));
    }
    if is(&ROOM_WORDS) {
        return Some((if is_less { Deed::LessRoom } else { Deed::MoreRoom }, said));
    }
    None
}

fn line_with(diff: &Diff, phrases: &[&str]) -> Option<String> {
    let lines = diff.added.iter().filter(|line| !line.is_report);
    let found = lines.filter(|line| phrases.iter().any(|phrase| line.text.to_lowercase().contains(phrase)));
    found
        .map(|line| line.text.clone())
        .find(|text| diff.removed.iter().any(|gone| gone.text != *text && shares(&gone.text, text)))
}

fn shares(one: &str, other: &str) -> bool {
    let first = |text: &str| words::parts(text).into_iter().next();
    first(one).is_some() && first(one) == first(other)
}

const STORE_WORDS: [&str; 10] = [
    "select ",
    "insert into",
    "update ",
    "delete from",
    "from ",
    "queryrow",
    "putitem",
    "getitem",
    ".query(",
    ".execute(",
];

fn is_store_call(text: &str) -> bool {
    let text = text.to_lowercase();
    STORE_WORDS.iter().filter(|word| **word != "from ").any(|word| text.contains(word))
}

/// What closes by itself is opened without that: `try (`, `with`, `using`, `defer`, `finally`.
fn scope_dropped(diff: &Diff) -> Option<String> {
    let is_scope = |text: &str| {
        ["try (", "with ", "using ", "using(", "defer ", "finally"]
            .iter()
            .any(|head| text.trim_start_matches("} ").starts_with(head))
    };
    let count = |lines: &[Line]| lines.iter().filter(|line| is_scope(&line.text)).count();
    let is_dropped = count(&diff.removed) > count(&diff.added);
    is_dropped.then(|| diff.removed.iter().find(|line| is_scope(&line.text)).map(|line| line.text.clone())).flatten()
}

/// Something is put away at every call, and nothing that takes it out comes with it.
fn kept_for_good(diff: &Diff) -> Option<String> {
    let keeps = ["computeifabsent", ".put(", ".set(", "append(", ".push(", ".add(", "setdefault(", ".store("];
    let holds = ["map<", "map[", "dict(", "= {}", "= []", "list<", "new map", "hashmap", "static", "global"];
    let drops =
        ["evict", "expire", "ttl", "maxsize", "max_size", "limit", "remove", "delete", "lru", "weak", "maximum"];
    let has = |words: &[&str]| {
        diff.added
            .iter()
            .filter(|line| !line.is_report)
            .find(|line| words.iter().any(|word| line.text.to_lowercase().contains(word)))
    };
    if has(&holds).is_none() || has(&drops).is_some() {
        return None;
    }
    has(&keeps).map(|line| line.text.clone())
}

/// A line about a secret or a right that is another than before.
fn access_line(diff: &Diff) -> Option<String> {
    let words = [
        "signing",
        "secret",
        "vault",
        "api_key",
        "apikey",
        "api-key",
        "kms",
        "iam",
        "credential",
        "password",
        "private-key",
        "private_key",
    ];
    let lines = diff.added.iter().filter(|line| !line.is_report);
    let found = lines.filter(|line| words.iter().any(|word| line.text.to_lowercase().contains(word)));
    found
        .map(|line| line.text.clone())
        .find(|text| diff.removed.iter().any(|gone| gone.text != *text && shares(&gone.text, text)))
}

fn schema_line(diff: &Diff) -> Option<String> {
    let phrases = [
        "alter table",
        "create index",
        "drop index",
        "drop column",
        "add column",
        "create table",
        "drop table",
        "rename column",
    ];
    let all = diff.added.iter().chain(&diff.removed);
    all.map(|line| line.text.clone()).find(|text| phrases.iter().any(|phrase| text.to_lowercase().contains(phrase)))
}

fn new_store(diff: &Diff) -> Option<String> {
    let added = diff.added.iter().find(|line| is_store_call(&line.text))?;
    let had = diff.removed.iter().any(|line| is_store_call(&line.text));
    (!had).then(|| added.text.clone())
}

/// True for the head of a loop.
fn is_loop(text: &str) -> bool {
    let text = text.to_lowercase();
    ["for ", "for(", "foreach", ".map(", "while ", "while(", ".each", "range "].iter().any(|word| text.contains(word))
}

/// True for a line that asks something else for something.
pub(super) fn is_outer_call(text: &str) -> bool {
    let lower = text.to_lowercase();
    if ["func ", "def ", "function ", "fn ", "public ", "private ", "async function "]
        .iter()
        .any(|head| lower.starts_with(head))
    {
        return false;
    }
    let asks = [
        "ctx,", "ctx)", "await ", ".get(", ".fetch", ".query", ".execute", ".call(", ".send", ".post(", "putitem",
        "getitem", "client.", ".find", ".load(",
    ];
    text.contains('(') && asks.iter().any(|word| lower.contains(word))
}

/// A call that now stands within a loop, where no such call stood in one before.
fn call_in_loop(diff: &Diff) -> Option<String> {
    let within = |lines: &[Line]| {
        let head = lines.iter().position(|line| is_loop(&line.text))?;
        lines
            .iter()
            .skip(head)
            .take(8)
            .find(|line| !line.is_report && is_outer_call(&line.text))
            .map(|line| line.text.clone())
    };
    let now = within(&diff.added)?;
    let calls = |text: &str| text.split('(').next().and_then(|head| words::parts(head).pop());
    (within(&diff.removed).is_none_or(|before| calls(&before) != calls(&now))).then_some(now)
}

fn guard_dropped(diff: &Diff, gone: &[String]) -> Option<String> {
    let stems = [
        "leeway", "toleranc", "skew", "grac", "check", "valid", "verif", "guard", "sanit", "assert", "ensur",
        "fallback", "default",
    ];
    let is_if = |text: &str| {
        text.starts_with("if ")
            || text.starts_with("if(")
            || text.contains("?.")
            || text.contains(" != nil")
            || text.contains("is not None")
    };
    if let Some(word) = one_of(gone, &stems) {
        return Some(word);
    }
    let count = |lines: &[Line]| lines.iter().filter(|line| is_if(&line.text)).count();
    let dropped = count(&diff.removed) > count(&diff.added);
    dropped.then(|| diff.removed.iter().find(|line| is_if(&line.text)).map(|line| line.text.clone())).flatten()
}

/// A bare call that is made no more and whose name comes nowhere in what is added.
fn step_dropped(diff: &Diff) -> Option<String> {
    let bare = |text: &str| -> Option<String> {
        let text = text.trim_end_matches(';').trim_start_matches("await ").trim_start_matches("defer ");
        let head = text.strip_suffix(')')?.split('(').next()?.to_owned();
        (!head.is_empty() && head.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')).then_some(head)
    };
    let gone = diff
        .removed
        .iter()
        .filter(|line| !line.is_report)
        .filter_map(|line| bare(&line.text).map(|head| (head, &line.text)));
    let mut gone = gone.filter(|(head, _)| !diff.added.iter().any(|line| line.text.contains(head.as_str())));
    gone.next().map(|(_, text)| text.clone())
}

/// A level or rate of telling that goes up.
fn louder(diff: &Diff) -> Option<String> {
    let tells = |text: &str, level: &str| {
        text.to_lowercase().contains(&format!("level: {level}"))
            || text.to_lowercase().contains(&format!("level={level}"))
    };
    let to = diff.added.iter().find(|line| tells(&line.text, "debug") || tells(&line.text, "trace"))?;
    Some(to.text.clone())
}
