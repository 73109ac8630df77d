//! The first line each way, of a form that never changes: any hypo can tell any other which it is and what it wants, also where
//! nothing after it would be understood. Stopping and asking how it stands work across versions because they need no more.
//!
//! ```text
//! hypo attach 1 version 0.2.0 wire 7 wants attach cap viewer
//! hypo attach 1 version 0.2.0 wire 7 pid 812 since 1794925800000 says joined
//! ```
//!
//! Words are parted by one blank; what is free text is percent-encoded, so that a line is printable ASCII. A line has at most 512
//! bytes with its end. After `joined` frames follow, after `text` lines for people until the end, after `no` nothing.

mod made;

use std::str::Split;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::WIRE;
use crate::engine::clock::Timestamp;
use crate::engine::limits::HELLO_BYTES_MAX;
use made::Line;

/// How the text begins by which an engine says that a backup was written.
pub const BACKED_UP: &str = "backed up: ";
/// How the text begins by which an engine says that everything is stopped.
pub const STOPPED: &str = "stopped: ";
/// How the text begins by which an engine says that it ends.
pub const ENDS: &str = "the engine ends";
/// How the text begins by which an engine that ends lets nobody in.
pub const ENDING: &str = "the engine is ending";
/// How every line begins, with the number of its form.
const START: [&str; 3] = ["hypo", "attach", "1"];
/// Bytes of a version or of a role's name.
const NAME_BYTES_MAX: usize = 64;
/// Characters that are told of a line or a word that is not understood.
const TOLD_CHARS_MAX: usize = 60;

/// What a console says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The console's version, as in `0.2.0`.
    pub version: Arc<str>,
    /// Which frames it understands.
    pub wire: u32,
    /// What it is there for.
    pub wants: Wants,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// To show pictures and to ask.
    Attach {
        /// The name of the role that it is to have at most, where it wants less than it could have. Whether there is such a role
        /// the engine says.
        cap: Option<Arc<str>>,
    },
    /// To be told how the engine stands, in text.
    Status,
    /// That the engine ends.
    Stop {
        /// True does not wait for commands that run.
        now: bool,
    },
    /// That nothing begins any more and what runs is stopped.
    Kill {
        /// Why; cut where it is too long for the line, since a reason must not stand in the way.
        reason: Arc<str>,
    },
    /// That everything that is kept is written into a file, while the engine goes on.
    Backup {
        /// The file or the folder, absolute. One that has no room in the line is refused by whoever would say it.
        path: Arc<str>,
    },
}

/// What the engine says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The engine's version.
    pub version: Arc<str>,
    /// Which frames it understands.
    pub wire: u32,
    /// Its process.
    pub pid: i32,
    /// Since when it runs.
    pub since: Timestamp,
    /// What follows.
    pub says: Says,
}

/// What follows on a greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// Frames.
    Joined,
    /// Lines of text until the end.
    Text,
    /// Nothing; the connection is closed.
    No {
        /// Why, and what to do; cut where it is too long for the line.
        why: Arc<str>,
    },
}

/// Why a first line is not understood, or those who said them do not understand one another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloProblem {
    /// Nothing that a hypo says.
    #[error("the first line is `{line}`, which no hypo says; only `hypo` can speak with the engine")]
    NotHypo {
        /// How it begins.
        line: String,
    },
    /// A form that is not known here.
    #[error("the first line is of form `{form}`, and this hypo knows form 1 alone; use the same hypo on both ends")]
    OtherForm {
        /// Which.
        form: String,
    },
    /// Too long, or not of printable ASCII.
    #[error("the first line has {bytes} bytes or others than printable ASCII; it may have {HELLO_BYTES_MAX} of them")]
    NoText {
        /// How long it is.
        bytes: usize,
    },
    /// Something is missing or cannot be read.
    #[error("the first line has `{found}` where {wanted} is expected; use the same hypo on both ends")]
    Word {
        /// What stands there; empty at the end of the line.
        found: String,
        /// What should stand there.
        wanted: &'static str,
    },
    /// The two do not understand one another.
    #[error(
        "the engine is hypo {engine} (wire {engine_wire}, pid {pid}, since {since}), this console is {console} (wire {console_wire}); \
         start hypo {engine}, or end the engine with `hypo stop` and start again"
    )]
    OtherWire {
        /// The engine's version.
        engine: Arc<str>,
        /// Its number.
        engine_wire: u32,
        /// Its process.
        pid: i32,
        /// Since when it runs.
        since: Timestamp,
        /// The console's version.
        console: Arc<str>,
        /// Its number.
        console_wire: u32,
    },
}

impl Hello {
    /// What a console of this program says.
    #[must_use]
    pub fn new(wants: Wants) -> Self {
        Self { version: Arc::from(env!("CARGO_PKG_VERSION")), wire: WIRE, wants }
    }

    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = Line::new(&self.version, self.wire);
        line.word("wants");
        match &self.wants {
            Wants::Attach { cap } => {
                line.word("attach");
                if let Some(cap) = cap {
                    line.word("cap");
                    line.free(cap, NAME_BYTES_MAX);
                }
            }
            Wants::Status => line.word("status"),
            Wants::Stop { now } => {
                line.word("stop");
                if *now {
                    line.word("now");
                }
            }
            Wants::Kill { reason } => {
                line.word("kill");
                line.free(reason, HELLO_BYTES_MAX);
            }
            Wants::Backup { path } => {
                line.word("backup");
                line.free(path, HELLO_BYTES_MAX);
            }
        }
        line.ended()
    }

    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// When it is not the first line of a console, in words for whoever sent it.
    pub fn read(line: &str) -> Result<Self, HelloProblem> {
        let mut words = Words::of(line)?;
        let (version, wire) = words.version()?;
        words.exactly("wants", "`wants`")?;
        let wanted = "`attach`, `status`, `stop`, `kill` or `backup`";
        let wants = match words.next() {
            Some("attach") => Wants::Attach { cap: words.attribute("cap", "the name of a role")? },
            Some("status") => Wants::Status,
            Some("stop") => Wants::Stop { now: words.is_next("now")? },
            Some("kill") => Wants::Kill { reason: words.free("a reason")? },
            Some("backup") => Wants::Backup { path: words.free("a path")? },
            other => return Err(wrong(other, wanted)),
        };
        words.end()?;
        Ok(Self { version, wire, wants })
    }
}

impl Greeting {
    /// What an engine of this program says, which is process `pid` and runs since `since`.
    #[must_use]
    pub fn new(pid: i32, since: Timestamp, says: Says) -> Self {
        Self { version: Arc::from(env!("CARGO_PKG_VERSION")), wire: WIRE, pid, since, says }
    }

    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = Line::new(&self.version, self.wire);
        line.word("pid");
        line.word(&self.pid.to_string());
        line.word("since");
        line.word(&self.since.0.to_string());
        line.word("says");
        match &self.says {
            Says::Joined => line.word("joined"),
            Says::Text => line.word("text"),
            Says::No { why } => {
                line.word("no");
                line.free(why, HELLO_BYTES_MAX);
            }
        }
        line.ended()
    }

    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// When it is not the first line of an engine.
    pub fn read(line: &str) -> Result<Self, HelloProblem> {
        let mut words = Words::of(line)?;
        let (version, wire) = words.version()?;
        words.exactly("pid", "`pid`")?;
        let pid = words.number("the number of a process")?;
        words.exactly("since", "`since`")?;
        let since = Timestamp(words.number("milliseconds since 1970")?);
        words.exactly("says", "`says`")?;
        let says = match words.next() {
            Some("joined") => Says::Joined,
            Some("text") => Says::Text,
            Some("no") => Says::No { why: words.free("a reason")? },
            other => return Err(wrong(other, "`joined`, `text` or `no`")),
        };
        words.end()?;
        Ok(Self { version, wire, pid, since, says })
    }

    /// Whether the engine that says this understands the frames of the console that said `hello`. What needs no frames is
    /// understood always.
    ///
    /// # Errors
    /// When they are of different numbers.
    pub fn suits(&self, hello: &Hello) -> Result<(), HelloProblem> {
        if self.wire == hello.wire || !matches!(hello.wants, Wants::Attach { .. }) {
            return Ok(());
        }
        Err(HelloProblem::OtherWire {
            engine: Arc::clone(&self.version),
            engine_wire: self.wire,
            pid: self.pid,
            since: self.since,
            console: Arc::clone(&hello.version),
            console_wire: hello.wire,
        })
    }
}

/// The words of a line.
struct Words<'l>(Split<'l, char>);

impl<'l> Words<'l> {
    /// What follows on the start of `line`.
    fn of(line: &'l str) -> Result<Self, HelloProblem> {
        let text = line.strip_suffix('\n').unwrap_or(line);
        if !text.starts_with("hypo attach ") {
            return Err(HelloProblem::NotHypo { line: told(text) });
        }
        if line.len() > HELLO_BYTES_MAX || !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(HelloProblem::NoText { bytes: line.len() });
        }
        let mut words = text.split(' ');
        match words.by_ref().nth(START.len() - 1) {
            Some("1") => Ok(Self(words)),
            form => Err(HelloProblem::OtherForm { form: told(form.unwrap_or_default()) }),
        }
    }

    fn next(&mut self) -> Option<&'l str> {
        self.0.next()
    }

    fn exactly(&mut self, word: &str, wanted: &'static str) -> Result<(), HelloProblem> {
        match self.next() {
            Some(found) if found == word => Ok(()),
            other => Err(wrong(other, wanted)),
        }
    }

    /// True where `word` follows, false at the end.
    fn is_next(&mut self, word: &'static str) -> Result<bool, HelloProblem> {
        match self.next() {
            None => Ok(false),
            Some(found) if found == word => Ok(true),
            other => Err(wrong(other, "the end")),
        }
    }

    /// The text behind `word`, where that follows.
    fn attribute(&mut self, word: &'static str, wanted: &'static str) -> Result<Option<Arc<str>>, HelloProblem> {
        if self.is_next(word)? { self.name(wanted).map(Some) } else { Ok(None) }
    }

    fn number<T: std::str::FromStr>(&mut self, wanted: &'static str) -> Result<T, HelloProblem> {
        let word = self.next();
        word.and_then(|word| word.parse().ok()).ok_or_else(|| wrong(word, wanted))
    }

    fn free(&mut self, wanted: &'static str) -> Result<Arc<str>, HelloProblem> {
        let word = self.next();
        let text = word.and_then(|word| percent_decode_str(word).decode_utf8().ok());
        text.map(Arc::from).ok_or_else(|| wrong(word, wanted))
    }

    /// Free text that is not empty and has no blank within.
    fn name(&mut self, wanted: &'static str) -> Result<Arc<str>, HelloProblem> {
        let name = self.free(wanted)?;
        let is_name =
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name { Ok(name) } else { Err(wrong(Some(&name), wanted)) }
    }

    fn version(&mut self) -> Result<(Arc<str>, u32), HelloProblem> {
        self.exactly("version", "`version`")?;
        let version = self.name("a version such as `0.2.0`")?;
        self.exactly("wire", "`wire`")?;
        Ok((version, self.number("the number of a wire")?))
    }

    fn end(mut self) -> Result<(), HelloProblem> {
        match self.next() {
            None => Ok(()),
            other => Err(wrong(other, "the end")),
        }
    }
}

fn wrong(found: Option<&str>, wanted: &'static str) -> HelloProblem {
    HelloProblem::Word { found: told(found.unwrap_or_default()), wanted }
}

/// The beginning of a text, fit to be shown.
fn told(text: &str) -> String {
    text.chars().take(TOLD_CHARS_MAX).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SINCE: Timestamp = Timestamp(1_794_925_800_000);

    fn greeting(says: Says) -> Greeting {
        Greeting { version: "0.3.0".into(), wire: 8, pid: 812, since: SINCE, says }
    }

    /// These lines are understood for ever; a change here is a mistake.
    #[test]
    fn the_lines_are_of_a_form_that_never_changes() {
        for (wants, tail) in [
            (Wants::Attach { cap: None }, "attach"),
            (Wants::Attach { cap: Some("viewer".into()) }, "attach cap viewer"),
            (Wants::Status, "status"),
            (Wants::Stop { now: false }, "stop"),
            (Wants::Stop { now: true }, "stop now"),
            (Wants::Kill { reason: "100 % wrong\nträge".into() }, "kill 100%20%25%20wrong%0Atr%C3%A4ge"),
            (Wants::Kill { reason: "".into() }, "kill "),
            (Wants::Backup { path: "/var/back up".into() }, "backup /var/back%20up"),
        ] {
            let hello = Hello { version: "0.2.0".into(), wire: 7, wants };
            let line = format!("hypo attach 1 version 0.2.0 wire 7 wants {tail}\n");
            assert_eq!((hello.line(), Hello::read(&line).unwrap()), (line, hello));
        }
        for (says, tail) in [
            (Says::Joined, "joined"),
            (Says::Text, "text"),
            (Says::No { why: "64 consoles are there".into() }, "no 64%20consoles%20are%20there"),
        ] {
            let line = format!("hypo attach 1 version 0.3.0 wire 8 pid 812 since 1794925800000 says {tail}\n");
            assert_eq!((greeting(says.clone()).line(), Greeting::read(&line).unwrap()), (line, greeting(says)));
        }
    }

    #[test]
    fn what_is_no_greeting_is_refused_in_words() {
        for (line, says) in [
            ("GET / HTTP/1.1\r\n", "`GET / HTTP/1.1\\r`, which no hypo says"),
            ("", "``, which no hypo says"),
            ("hypo attach 2 version 9.0.0\n", "form `2`"),
            ("hypo attach1", "no hypo says"),
            ("hypo attach 1", "has `` where `version`"),
            ("hypo attach 1 version", "has `` where a version such as"),
            ("hypo attach 1 version 0.2.0 wire seven wants status", "`seven` where the number of a wire"),
            (
                "hypo attach 1 version 0.2.0 wire 7 wants tea",
                "`tea` where `attach`, `status`, `stop`, `kill` or `backup`",
            ),
            ("hypo attach 1 version 0.2.0 wire 7 wants backup", "`` where a path"),
            ("hypo attach 1 version 0.2.0 wire 7 wants stop later", "`later` where the end"),
            ("hypo attach 1 version 0.2.0 wire 7 wants status now", "`now` where the end"),
            ("hypo attach 1 version 0.2.0 wire 7 wants attach cap", "`` where the name of a role"),
            ("hypo attach 1 version 0.2.0 wire 7 wants attach cap %0A", "where the name of a role"),
            ("hypo attach 1 version 0.2.0 wire 7 wants kill %ff", "`%ff` where a reason"),
            ("hypo attach 1  version 0.2.0 wire 7 wants status", "`` where `version`"),
            ("hypo attach 1 version 0.2.0 wire 7 wants status\r\n", "others than printable ASCII"),
        ] {
            let problem = Hello::read(line).unwrap_err().to_string();
            assert!(problem.contains(says), "{line:?}: {problem}");
        }
        let long = format!("hypo attach 1 version 0.2.0 wire 7 wants kill {}", "x".repeat(HELLO_BYTES_MAX));
        assert!(Hello::read(&long).unwrap_err().to_string().contains("bytes"));
        assert!(Greeting::read(&Hello::new(Wants::Status).line()).is_err());
    }

    #[test]
    fn two_that_do_not_understand_one_another_are_told_what_to_do() {
        let engine = greeting(Says::Joined);
        let console = |wants| Hello { version: "0.2.0".into(), wire: 7, wants };
        let problem = engine.suits(&console(Wants::Attach { cap: None })).unwrap_err().to_string();
        assert_eq!(
            problem,
            "the engine is hypo 0.3.0 (wire 8, pid 812, since 2026-11-17T14:30:00.000Z), this console is 0.2.0 (wire 7); start \
             hypo 0.3.0, or end the engine with `hypo stop` and start again"
        );
        // It goes over the line whole.
        let no = greeting(Says::No { why: problem.into() });
        assert_eq!(Greeting::read(&no.line()).unwrap(), no);
        for wants in [Wants::Status, Wants::Stop { now: true }, Wants::Kill { reason: "now".into() }] {
            assert_eq!(engine.suits(&console(wants)), Ok(()));
        }
        assert_eq!(Greeting::new(1, SINCE, Says::Text).suits(&Hello::new(Wants::Attach { cap: None })), Ok(()));
    }

    fn any_wants() -> impl Strategy<Value = Wants> {
        prop_oneof![
            prop::option::of("[!-~]{1,20}").prop_map(|cap| Wants::Attach { cap: cap.map(Arc::from) }),
            Just(Wants::Status),
            any::<bool>().prop_map(|now| Wants::Stop { now }),
            any::<String>().prop_map(|reason| Wants::Kill { reason: reason.into() }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_fits_into_a_line_and_is_read_back(version in "[!-~]{1,20}", wire: u32, wants in any_wants()) {
            let hello = Hello { version: version.into(), wire, wants };
            let line = hello.line();
            prop_assert!(line.len() <= HELLO_BYTES_MAX && line.is_ascii() && line.ends_with('\n'), "{line}");
            prop_assert_eq!(line.matches('\n').count(), 1);
            let read = Hello::read(&line).unwrap();
            match (&read.wants, &hello.wants) {
                (Wants::Kill { reason }, Wants::Kill { reason: whole }) => prop_assert!(whole.starts_with(&**reason)),
                (read, said) => prop_assert_eq!(read, said),
            }
            prop_assert_eq!((read.version, read.wire), (hello.version, hello.wire));
        }

        #[test]
        fn a_refusal_of_any_length_fits_into_a_line(why: String, pid: i32, since: i64) {
            let greeting = Greeting::new(pid, Timestamp(since), Says::No { why: why.as_str().into() });
            let line = greeting.line();
            prop_assert!(line.len() <= HELLO_BYTES_MAX);
            let read = Greeting::read(&line).unwrap();
            let is_start = matches!(read.says, Says::No { why: cut } if why.starts_with(&*cut));
            prop_assert!(is_start);
        }

        #[test]
        fn whatever_comes_is_read_or_refused_in_a_short_word(line in any::<String>()) {
            prop_assert!(Hello::read(&line).unwrap_err().to_string().len() < 2_000);
            prop_assert!(Greeting::read(&line).is_err());
        }

        #[test]
        fn damage_to_a_line_is_read_or_refused(
            wants in any_wants(), at in any::<prop::sample::Index>(), with in any::<char>(), cut: bool
        ) {
            let mut line: Vec<char> = Hello::new(wants).line().chars().collect();
            let at = at.index(line.len());
            if cut { line.truncate(at) } else { line[at] = with }
            let line: String = line.into_iter().collect();
            if let Ok(read) = Hello::read(&line) {
                prop_assert_eq!(Hello::read(&read.line()).unwrap(), read);
            }
        }
    }
}
