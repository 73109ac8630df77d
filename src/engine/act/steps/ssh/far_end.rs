//! The scripts of the far end, for the user's POSIX shell there: the one that runs a command, and the one that takes up again
//! what a broken connection has left.
//!
//! What the command writes passes through a folder there, a file each for its output and its errors, of which the first part
//! is kept, and so does its exit code. Whoever comes back finds them; they are removed once the end was heard. Where no
//! such folder can be made, on a full disk, the command is run all the same and writes to the connection alone.
//!
//! A timeout holds there, too, whether or not anybody is connected: a watchdog of the script asks the command to end, and then
//! ends it. Who comes later than that, and must know that nothing runs any more, ends it by [`end_script`].

use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::engine::act::steps::quoting::for_posix_shell;

/// Between asking the command to end and ending it, there, in seconds: a package manager needs some to leave things in order.
pub(super) const END_GRACE_S: u64 = 10;
/// How long the script there is waited for to write down how a command ended that is gone, in seconds.
const STATUS_WAIT_S: u64 = 10;
/// Bytes of a mark; as many are not guessed.
const MARK_BYTES: usize = 12;
/// Bytes of each kind of output that are kept there for whoever comes back: a command may write more than its disk has room for.
const KEPT_BYTES_MAX: u32 = 4 << 20;

/// What stands before our own words, so that they are told from what the command writes. It names the folder, too, and nobody
/// there can have made that before.
pub(in crate::engine::act::steps) fn mark() -> String {
    let mut bytes = [0_u8; MARK_BYTES];
    // Without it the words are told apart all the same, only not from a command that imitates them.
    let _random = SystemRandom::new().fill(&mut bytes);
    named(&bytes)
}

/// The mark of an attempt, by which whoever knows its identity finds it again; `None` for one that has none. It cannot be
/// turned back into the identity.
pub(super) fn mark_of(attempt: &str) -> Option<String> {
    let hashed = digest(&SHA256, format!("far end of {attempt}").as_bytes());
    (!attempt.is_empty()).then(|| named(&hashed.as_ref()[..MARK_BYTES]))
}

fn named(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hypo-{digits}")
}

/// Says `ready`, begins on `go`, stops the command on `stop`, says `ended` and its exit code, and takes any word after that
/// for having been heard. The command is ended there `limit_s` seconds after it began, whoever is connected.
pub(super) fn run_script(argv: &[Arc<str>], mark: &str, limit_s: u64) -> String {
    let watchdog = watchdog(limit_s);
    let words = for_posix_shell(argv.iter().map(AsRef::as_ref));
    // `$p` is the process of the command itself; with `setsid` it leads a group of the same number, but not from its first
    // moment on: a stop that finds no group yet is tried again. `tee` must outlive a connection that breaks: it goes on into
    // the file without it; and so must the shell, which tells the connection by itself when a signal ended the command, and has
    // its exit code still to write.
    format!(
        "set -- {words}; m={mark}; d=${{TMPDIR:-/tmp}}/$m; printf '%s ready\\n' \"$m\" >&2; \
         read -r w && [ \"$w\" = \"$m go\" ] || exit 254; exec 3<&0; \
         {BORN}begin() {{ if command -v setsid >/dev/null 2>&1; then g=-; ( exec setsid \"$@\" ) </dev/null 3<&- & p=$!; \
         else g=; ( exec \"$@\" ) </dev/null 3<&- & p=$!; fi; }}; \
         keep() {{ ( head -c {KEPT_BYTES_MAX} >\"$d/$1\"; cat >/dev/null ) <\"$d/$1.kept\" 3<&- >/dev/null 2>&1 & \
         ( trap '' PIPE HUP; tee \"$d/$1.kept\" <\"$d/$1.pipe\" 2>/dev/null; : >\"$d/$1.over\" ) 3<&- & }}; \
         u=$(umask); umask 077; k=; \
         if command -v tee && command -v head && mkdir \"$d\" && mkfifo \"$d/out.pipe\" \"$d/out.kept\" \"$d/err.pipe\" \"$d/err.kept\"; then k=1; fi >/dev/null 2>&1; \
         umask \"$u\"; \
         if [ \"$k\" ]; then keep out; keep err >&2; begin \"$@\" >\"$d/out.pipe\" 2>\"$d/err.pipe\"; \
         printf '%s %s %s\\n' \"$p\" \"$g$p\" \"$(born \"$p\")\" >\"$d/process.new\"; mv \"$d/process.new\" \"$d/process\"; else begin \"$@\"; fi; \
         trap '' PIPE; {watchdog}{STOP}\
         wait \"$p\"; s=$?; \
         if [ \"$k\" ]; then printf '%s\\n' \"$s\" >\"$d/new\" && mv \"$d/new\" \"$d/status\"; i=0; \
         until [ -e \"$d/out.over\" ] && [ -e \"$d/err.over\" ] || [ $i -ge 5 ]; do sleep 0.1 || sleep 1; i=$((i+1)); done; fi 2>/dev/null; \
         kill \"$v\" 2>/dev/null; {NO_MORE_STOP}printf '\\n%s ended %s\\n' \"$m\" \"$s\" >&2; \
         if [ \"$k\" ]; then read -r w <&3 && rm -rf \"$d\"; fi; exit \"$s\""
    )
}

/// Tells what the command has written from line `from` of its output on, 1 being the first, and all of its errors, follows it
/// to its end, and says the same words. Where there is no trace of it, it says `gone`.
pub(super) fn follow_script(mark: &str, from: u64) -> String {
    // `tail` counts only the lines that are there when it begins, so those before must have reached the file.
    let before = from.saturating_sub(1);
    format!(
        "m={mark}; d=${{TMPDIR:-/tmp}}/$m; printf '%s ready\\n' \"$m\" >&2; \
         read -r w && [ \"$w\" = \"$m go\" ] || exit 254; exec 3<&0; \
         gone() {{ printf '\\n%s gone\\n' \"$m\" >&2; exit 253; }}; \
         {BEGUN}[ -e \"$d/process\" ] || gone; read -r p g b <\"$d/process\"; g=${{g%\"$p\"}}; \
         i=0; until [ \"$(wc -l <\"$d/out\")\" -ge {before} ] || [ $i -ge 20 ]; do sleep 0.1 || sleep 1; i=$((i+1)); done 2>/dev/null; \
         tail -n +{from} -f \"$d/out\" 3<&- & t=$!; tail -n +1 -f \"$d/err\" 3<&- >&2 & e=$!; \
         {STOP}\
         until [ -e \"$d/status\" ]; do kill -0 \"$p\" 2>/dev/null || break; sleep 0.2 2>/dev/null || sleep 1; done; \
         i=0; until [ -e \"$d/status\" ] || [ $i -ge {STATUS_WAIT_S} ]; do sleep 1; i=$((i+1)); done; \
         sleep 2; kill \"$t\" \"$e\" 2>/dev/null; {NO_MORE_STOP}\
         [ -e \"$d/status\" ] || gone; read -r s <\"$d/status\"; printf '\\n%s ended %s\\n' \"$m\" \"$s\" >&2; \
         read -r w <&3 && rm -rf \"$d\"; exit \"$s\""
    )
}

/// Ends what runs of the command, first by asking, and says on its output `nothing` (there is no trace of it), `over` (it had
/// ended), `ended` or `runs` (it would not end). Only what is surely its own process is touched: the folder must be this user's,
/// and the process must be the one that was begun, not another that has its number by now.
pub(super) fn end_script(mark: &str) -> String {
    format!(
        "m={mark}; d=${{TMPDIR:-/tmp}}/$m; say() {{ printf '%s %s\\n' \"$m\" \"$1\"; exit 0; }}; {BORN}\
         set -- $(ls -ldn \"$d\" 2>/dev/null); [ \"$3\" = \"$(id -u)\" ] || say nothing; {BEGUN}[ -e \"$d/process\" ] || say nothing; \
         [ -e \"$d/status\" ] && say over; \
         read -r p g b <\"$d/process\"; [ \"$b\" ] && [ \"$b\" = \"$(born \"$p\")\" ] || say nothing; \
         runs() {{ kill -s 0 -- \"$g\" || [ \"$b\" = \"$(born \"$p\")\" ]; }} 2>/dev/null; \
         kill -s TERM -- \"$g\" 2>/dev/null; i=0; while runs && [ $i -lt {END_GRACE_S} ]; do sleep 1; i=$((i+1)); done; \
         if runs; then kill -s KILL -- \"$g\" 2>/dev/null; i=0; while runs && [ $i -lt 2 ]; do sleep 1; i=$((i+1)); done; fi; \
         runs && say runs; say ended"
    )
}

/// Waits, where the folder is there, until the process is noted in it: the command has begun a moment before.
const BEGUN: &str = "i=0; until [ -e \"$d/process\" ] || ! [ -d \"$d\" ] || [ $i -ge 50 ]; do sleep 0.1 2>/dev/null || sleep 1; i=$((i+1)); done; ";

/// When a process began, in ticks since the machine did; nothing where it has ended, or where the system does not say.
const BORN: &str = "born() { read -r x </proc/\"$1\"/stat && set -- ${x##*) } && [ \"$1\" != Z ] && shift 19 && printf %s \"$1\"; } 2>/dev/null; ";

/// Ends the command and all of its group once its time is over, with the connection closed to it; `$v` is what waits. Once it has
/// begun to end them it sees that through, also where the command itself has ended by then. It may be told that the command has
/// ended before it waits at all; a shell that has just forked for its `sleep` takes a TERM for its parent's, so that is killed.
fn watchdog(limit_s: u64) -> String {
    format!(
        "b=$(born \"$p\"); ( o= z=; trap 'o=1; [ \"$z\" ] && kill -s KILL \"$z\"' TERM; sleep {limit_s} & z=$!; [ \"$o\" ] || wait \"$z\"; \
         if [ \"$o\" ]; then kill -s KILL \"$z\"; exit; fi; trap '' TERM; [ \"$b\" = \"$(born \"$p\")\" ] || exit; \
         tell() {{ kill -s \"$1\" -- \"$g$p\" || kill -s \"$1\" \"$p\"; }}; tell TERM || exit; \
         i=0; while [ $i -lt {END_GRACE_S} ]; do sleep 1; tell 0 || exit; i=$((i+1)); done; tell KILL ) </dev/null >/dev/null 2>&1 3<&- & v=$!; "
    )
}

/// Waits for the word to stop, with the connection as descriptor 3; `$q` is what waits.
const STOP: &str = "( read -r w <&3; [ \"$w\" = \"$m stop\" ] || exit; \
     until kill -s TERM -- \"$g$p\"; do kill -0 \"$p\" || exit; sleep 1; done ) >/dev/null 2>&1 & q=$!; ";

/// Waits for the word to stop no longer. What waits must have ended before an end is told: it would else read the word that is the
/// answer to that, and the folder would stay.
const NO_MORE_STOP: &str = "{ kill -s KILL \"$q\"; wait \"$q\"; } 2>/dev/null; ";

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::path::PathBuf;
    use std::process::{Child, ChildStderr, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// The far end's script as `sh` runs it.
    struct FarEnd {
        shell: Child,
        mark: String,
        said: BufReader<ChildStderr>,
    }

    impl FarEnd {
        fn start(script: &str, mark: &str) -> Self {
            let mut shell = Command::new("timeout");
            shell.args(["20", "sh", "-c", script]);
            let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let said = BufReader::new(shell.stderr.take().unwrap());
            Self { shell, mark: mark.to_owned(), said }
        }

        fn running(argv: &[Arc<str>]) -> Self {
            Self::limited(argv, 600)
        }

        fn limited(argv: &[Arc<str>], limit_s: u64) -> Self {
            let mark = mark();
            Self::start(&run_script(argv, &mark, limit_s), &mark)
        }

        /// Begins, waits until the command has a process, and breaks the connection; gives that process.
        fn begin_and_break(mut self) -> (String, PathBuf, Child) {
            self.tell("MARK go\n");
            let file = self.folder().join("process");
            while !file.exists() {
                std::thread::sleep(Duration::from_millis(10));
            }
            let process = std::fs::read_to_string(&file).unwrap();
            let folder = self.folder();
            drop(self.shell.stdin.take());
            (process.split_whitespace().next().unwrap().to_owned(), folder, self.shell)
        }

        fn tell(&mut self, words: &str) {
            // A script that has gone already takes nothing.
            let _gone = self.shell.stdin.as_mut().unwrap().write_all(words.replace("MARK", &self.mark).as_bytes());
        }

        /// All that it said, up to this word and with it.
        fn hear(&mut self, word: &str) -> String {
            let mut heard = String::new();
            while !heard.contains(&format!("{} {word}", self.mark)) {
                assert!(self.said.read_line(&mut heard).unwrap() > 0, "it went without `{word}`: {heard}");
            }
            heard
        }

        /// What the command wrote and what was said, once nothing more is.
        fn finish(mut self) -> (Vec<u8>, String) {
            drop(self.shell.stdin.take());
            let (mut out, mut said) = (Vec::new(), String::new());
            self.shell.stdout.take().unwrap().read_to_end(&mut out).unwrap();
            self.said.read_to_string(&mut said).unwrap();
            self.shell.wait().unwrap();
            (out, said)
        }

        fn folder(&self) -> PathBuf {
            std::env::temp_dir().join(&self.mark)
        }
    }

    /// What the script does when it is told this and its end is heard: what was written, and its words without their mark.
    fn at_the_far_end(argv: &[Arc<str>], told: &str) -> (Vec<u8>, String) {
        let mut far_end = FarEnd::running(argv);
        far_end.tell(told);
        let mut said = far_end.hear("ended");
        far_end.tell("MARK heard\n");
        let (mark, folder) = (far_end.mark.clone(), far_end.folder());
        let (out, rest) = far_end.finish();
        said.push_str(&rest);
        assert!(!folder.exists(), "what was heard is not kept");
        (out, said.replace(&mark, "MARK"))
    }

    fn words(argv: &[&str]) -> Vec<Arc<str>> {
        argv.iter().map(|word| Arc::from(*word)).collect()
    }

    #[test]
    fn the_far_end_begins_only_when_it_is_told_to_and_says_how_it_ended() {
        let argv = words(&["sh", "-c", "echo done; exit 7"]);
        for told in ["", "\n", "MARK\n", "other go\n", "MARK stop\n"] {
            let mut far_end = FarEnd::running(&argv);
            far_end.tell(told);
            let ready = format!("{} ready\n", far_end.mark);
            assert_eq!(far_end.finish(), (Vec::new(), ready), "{told:?}");
        }
        let (out, said) = at_the_far_end(&argv, "MARK go\n");
        assert_eq!(out, b"done\n");
        assert!(said.ends_with("\nMARK ended 7\n"), "{said}");
        let (_, said) = at_the_far_end(&words(&["sleep", "600"]), "MARK go\nMARK stop\n");
        assert!(said.ends_with("\nMARK ended 143\n"), "{said}");
        let (_, said) = at_the_far_end(&words(&["no-such-program"]), "MARK go\n");
        assert!(said.contains("\nMARK ended 127\n"), "{said}");
    }

    #[test]
    fn what_a_broken_connection_leaves_is_taken_up_again() {
        // It writes on after nobody reads any more, and more than a pipe holds.
        let script = "echo one; echo two; read x <go; seq 1 100000; echo bad >&2; exit 7";
        let folder = tempfile::tempdir().unwrap();
        let script = script.replace("<go", &format!("<{}", folder.path().join("go").display()));
        assert!(Command::new("mkfifo").arg(folder.path().join("go")).status().unwrap().success());
        let mut first = FarEnd::running(&words(&["sh", "-c", &script]));
        first.tell("MARK go\n");
        let (mark, kept) = (first.mark.clone(), first.folder());
        let mut out = BufReader::new(first.shell.stdout.take().unwrap());
        let mut heard = String::new();
        out.read_line(&mut heard).unwrap();
        drop((out, first));
        std::fs::write(folder.path().join("go"), "\n").unwrap();
        let mut again = FarEnd::start(&follow_script(&mark, 2), &mark);
        again.tell("MARK go\n");
        let said = std::thread::scope(|scope| {
            let stdout = again.shell.stdout.take().unwrap();
            let reader = scope.spawn(move || std::io::read_to_string(stdout).unwrap());
            let said = again.hear("ended");
            again.tell("MARK heard\n");
            heard.push_str(&reader.join().unwrap());
            said
        });
        again.shell.wait().unwrap();
        let lines: Vec<&str> = heard.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[1], lines[2]), (100_002, "one", "two", "1"));
        assert!(said.contains("bad\n") && said.contains("ended 7\n"), "{said}");
        assert!(!kept.exists());
        let mut nothing = FarEnd::start(&follow_script(&mark, 1), &mark);
        nothing.tell("MARK go\n");
        nothing.hear("gone");
    }

    #[test]
    fn a_command_that_is_followed_is_stopped_like_any_other() {
        let mut first = FarEnd::running(&words(&["sleep", "600"]));
        first.tell("MARK go\n");
        let process = first.folder().join("process");
        while !process.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mark = first.mark.clone();
        let mut again = FarEnd::start(&follow_script(&mark, 1), &mark);
        again.tell("MARK go\nMARK stop\n");
        assert!(again.hear("ended").contains("ended 143"));
        again.tell("MARK heard\n");
        again.finish();
        drop(first.shell.stdin.take());
        first.shell.wait().unwrap();
    }

    /// False once it is gone, or a zombie.
    fn runs(process: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
    }

    fn end_there(mark: &str) -> String {
        let ended = Command::new("sh").args(["-c", &end_script(mark)]).output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        said.trim().strip_prefix(mark).unwrap_or_default().trim().to_owned()
    }

    #[test]
    fn the_time_of_a_command_is_over_there_also_where_nobody_is_connected() {
        let deaf = "trap '' TERM; while :; do sleep 1; done";
        for (argv, code, at_least_s) in
            [(words(&["sleep", "600"]), "143", 1), (words(&["sh", "-c", deaf]), "137", 1 + END_GRACE_S)]
        {
            let began = Instant::now();
            let (process, folder, mut shell) = FarEnd::limited(&argv, 1).begin_and_break();
            shell.wait().unwrap();
            assert!(!runs(&process) && began.elapsed() >= Duration::from_secs(at_least_s), "{:?}", began.elapsed());
            assert_eq!(std::fs::read_to_string(folder.join("status")).unwrap().trim(), code);
            std::fs::remove_dir_all(folder).unwrap();
        }
        // One that ends in time leaves no watchdog, however soon that is.
        for _ in 0..50 {
            let mut far_end = FarEnd::limited(&words(&["true"]), 4_321_234);
            far_end.tell("MARK go\n");
            far_end.hear("ended");
            far_end.tell("MARK heard\n");
            far_end.finish();
        }
        let waits = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let until = Instant::now() + Duration::from_secs(5);
        let is_left = || {
            let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
            entries.map(waits).any(|line| line == b"sleep\x004321234\0")
        };
        while is_left() {
            assert!(Instant::now() < until, "the watchdog still waits");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn what_is_left_there_is_ended_and_nothing_else_is() {
        let script = "sleep 600 & trap '' TERM; while :; do sleep 1; done";
        for (argv, is_deaf) in [(words(&["sleep", "600"]), false), (words(&["sh", "-c", script]), true)] {
            let (process, folder, mut shell) = FarEnd::running(&argv).begin_and_break();
            let mark = folder.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(runs(&process));
            let began = Instant::now();
            assert_eq!(end_there(&mark), "ended");
            assert!(!runs(&process) && (began.elapsed() >= Duration::from_secs(END_GRACE_S)) == is_deaf);
            shell.wait().unwrap();
            assert_eq!(end_there(&mark), "over");
            // Its number is another's by now: nobody else's process is touched.
            let mut other = Command::new("sleep").arg("600").spawn().unwrap();
            std::fs::remove_file(folder.join("status")).unwrap();
            for born in ["12345", ""] {
                std::fs::write(folder.join("process"), format!("{0} {0} {born}\n", other.id())).unwrap();
                assert_eq!(end_there(&mark), "nothing");
                assert_eq!(other.try_wait().unwrap(), None);
            }
            other.kill().unwrap();
            other.wait().unwrap();
            std::fs::remove_dir_all(folder).unwrap();
            assert_eq!(end_there(&mark), "nothing");
        }
    }

    #[test]
    fn an_attempt_is_found_again_by_its_identity_alone() {
        assert_eq!(mark_of("id-1"), mark_of("id-1"));
        assert_ne!(mark_of("id-1"), mark_of("id-2"));
        assert_eq!(mark_of(""), None);
        assert_eq!(mark_of("id-1").unwrap().len(), mark().len());
    }

    #[test]
    fn three_thousand_hostile_values_come_through_the_far_ends_shell_as_they_are() {
        use rand::{Rng as _, SeedableRng as _};
        const PIECES: [&str; 34] = [
            "'",
            "\"",
            "\\",
            "\n",
            "\r\n",
            "$(id)",
            "`id`",
            "${IFS}",
            "$HOME",
            "-",
            "--",
            "-rf",
            ";",
            "|",
            "&&",
            ">x",
            "<x",
            "*",
            "?",
            "[a]",
            "{a,b}",
            "~",
            "!x",
            "#",
            "%s",
            "\\0",
            "\u{1}",
            "\u{7f}",
            "é",
            "東",
            " ",
            "\t",
            "'\\''",
            "; exit 3; #",
        ];
        let mut random = rand_pcg::Pcg64::seed_from_u64(7);
        let mut value = || -> String {
            (0..random.random_range(1..8)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
        };
        for _ in 0..30 {
            let values: Vec<String> = (0..100).map(|_| value()).collect();
            let mut argv = words(&["printf", "%s\\0"]);
            argv.extend(values.iter().map(|value| Arc::from(value.as_str())));
            let (out, said) = at_the_far_end(&argv, "MARK go\n");
            let wanted: Vec<u8> = values.iter().flat_map(|value| value.bytes().chain([0])).collect();
            assert_eq!(out, wanted);
            assert_eq!(said, "MARK ready\n\nMARK ended 0\n");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn no_value_is_read_by_the_far_ends_shell(values in proptest::collection::vec(
            proptest::prop_oneof!["[^\0]{0,30}", proptest::prelude::Just("'; touch /tmp/hypo-never; '".to_owned()), proptest::prelude::Just("-n".to_owned())],
            1..5,
        )) {
            let mut argv = words(&["printf", "%s\\0"]);
            argv.extend(values.iter().map(|value| Arc::from(value.as_str())));
            let (out, _) = at_the_far_end(&argv, "MARK go\n");
            let wanted: Vec<u8> = values.iter().flat_map(|value| value.bytes().chain([0])).collect();
            proptest::prop_assert_eq!(out, wanted);
        }
    }
}
