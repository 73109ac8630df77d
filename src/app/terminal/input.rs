//! Everything that comes from the terminal, read on a thread of its own.
//!
//! A second thread watches for the terminal to go away: the reader alone would spin on a dead one for ever. An escape
//! sequence that a slow line cut after its first byte is put together again, so that the rest of an arrow key is never
//! taken for letters.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Inputs waiting for the console; past it the reader waits and the terminal keeps them.
pub const INPUT_QUEUE_MAX: usize = 1_024;
/// A lone Esc is one when nothing follows for this long.
const ESC_WAIT_MS: u8 = 20;
/// A paste whose start was cut ends when nothing follows for this long.
const PASTE_WAIT_MS: u8 = 50;
/// Between two attempts to have waiting input read.
const WAKE_PAUSE: Duration = Duration::from_millis(1);

/// What came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key went down. Repeats and releases are not told.
    Key(KeyEvent),
    /// A paste, whole.
    Paste(String),
    /// A mouse button or the wheel.
    Mouse(MouseEvent),
    /// The terminal is no more.
    Gone,
}

/// Starts both threads; inputs arrive in order on the receiver.
///
/// # Errors
/// When there is no terminal or a thread cannot be started.
pub fn start() -> io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(INPUT_QUEUE_MAX);
    let tty = open_tty()?;
    let watched = tty.try_clone()?;
    let gone = sender.clone();
    thread::Builder::new().name("terminal-watch".to_owned()).spawn(move || {
        wait_for_hang_up(&watched);
        let _ = gone.blocking_send(Input::Gone);
    })?;
    thread::Builder::new().name("terminal-input".to_owned()).spawn(move || {
        // Whatever ends the reader, the console must not wait for keys that cannot come.
        let _ = read_all(&tty, &sender);
        let _ = sender.blocking_send(Input::Gone);
    })?;
    Ok(receiver)
}

/// Whether there is a terminal at all, before anything is begun for one.
///
/// # Errors
/// When there is none.
pub fn look() -> io::Result<()> {
    open_tty().map(drop)
}

fn open_tty() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned();
    }
    Ok(std::fs::File::options().read(true).write(true).open("/dev/tty")?.into())
}

/// Returns once the other side of `fd` is closed. Sleeps until then: it asks for no data at all.
pub fn wait_for_hang_up(fd: &OwnedFd) {
    loop {
        let mut watched = [PollFd::new(fd.as_fd(), PollFlags::empty())];
        match poll(&mut watched, PollTimeout::NONE) {
            Err(Errno::EINTR) | Ok(0) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// True where there is something to read within `wait`; an error where the terminal is gone.
fn is_readable(fd: &OwnedFd, wait: PollTimeout) -> io::Result<bool> {
    let mut watched = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    match poll(&mut watched, wait) {
        Err(Errno::EINTR) => return Ok(false),
        other => other?,
    };
    let found = watched[0].revents().unwrap_or(PollFlags::empty());
    if found.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(found.contains(PollFlags::POLLIN))
}

fn read_all(tty: &OwnedFd, sender: &mpsc::Sender<Input>) -> io::Result<()> {
    loop {
        if !is_readable(tty, PollTimeout::NONE)? {
            continue;
        }
        let mut batch = Vec::new();
        drain(&mut batch)?;
        if batch.is_empty() {
            wake_library(tty)?;
            continue;
        }
        if batch.last().is_some_and(is_lone_esc) && is_readable(tty, ESC_WAIT_MS.into())? {
            drain(&mut batch)?;
        }
        if has_cut_paste(&batch) {
            while is_readable(tty, PASTE_WAIT_MS.into())? {
                drain(&mut batch)?;
            }
        }
        for input in stitch(batch) {
            if sender.blocking_send(input).is_err() {
                return Ok(());
            }
        }
    }
}

/// Tells the library once more that there is something to read. It hears of that by an edge, and forgets the edge when a
/// change of size arrives in the same moment: the key would lie there until the next one. Setting the terminal's modes to
/// what they are wakes all who wait for it.
fn wake_library(tty: &OwnedFd) -> io::Result<()> {
    let modes = tcgetattr(tty)?;
    tcsetattr(tty, SetArg::TCSANOW, &modes)?;
    // Where a system does not work like that, a waiting key must not cost a whole core.
    thread::sleep(WAKE_PAUSE);
    Ok(())
}

fn drain(batch: &mut Vec<Event>) -> io::Result<()> {
    while event::poll(Duration::ZERO)? {
        batch.push(event::read()?);
    }
    Ok(())
}

fn is_lone_esc(event: &Event) -> bool {
    matches!(event, Event::Key(key) if key.code == KeyCode::Esc && key.modifiers.is_empty())
}

fn plain_char(event: &Event) -> Option<char> {
    match event {
        Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, kind: KeyEventKind::Press, .. })
            if (*modifiers - KeyModifiers::SHIFT).is_empty() =>
        {
            Some(*c)
        }
        _ => None,
    }
}

fn has_cut_paste(batch: &[Event]) -> bool {
    batch.windows(6).any(|window| {
        is_lone_esc(&window[0]) && window[1..].iter().map(plain_char).eq(['[', '2', '0', '0', '~'].map(Some))
    })
}

/// Makes inputs of events, putting cut sequences together: what a lone Esc and the letters after it were meant to be.
fn stitch(batch: Vec<Event>) -> Vec<Input> {
    let mut inputs = Vec::with_capacity(batch.len());
    let mut rest = batch.into_iter().peekable();
    while let Some(event) = rest.next() {
        if !is_lone_esc(&event) {
            inputs.extend(input(event));
            continue;
        }
        let Some(first) = rest.peek().and_then(plain_char) else {
            inputs.extend(input(event));
            continue;
        };
        rest.next();
        if first != '[' && first != 'O' {
            inputs.push(Input::Key(KeyEvent::new(KeyCode::Char(first), KeyModifiers::ALT)));
            continue;
        }
        let mut parameters = String::new();
        let mut last = None;
        while let Some(c) = rest.peek().and_then(plain_char) {
            rest.next();
            if ('@'..='~').contains(&c) {
                last = Some(c);
                break;
            }
            parameters.push(c);
        }
        if last == Some('~') && parameters == "200" {
            inputs.push(Input::Paste(rest.by_ref().filter_map(|event| pasted_char(&event)).collect()));
        } else {
            // What is not known was no key: a late answer of the terminal, perhaps.
            inputs.extend(last.and_then(|last| sequence_key(&parameters, last)).map(Input::Key));
        }
    }
    inputs
}

fn pasted_char(event: &Event) -> Option<char> {
    match event {
        Event::Key(KeyEvent { code: KeyCode::Enter, .. }) => Some('\n'),
        Event::Key(KeyEvent { code: KeyCode::Tab, .. }) => Some('\t'),
        _ => plain_char(event),
    }
}

fn sequence_key(parameters: &str, last: char) -> Option<KeyEvent> {
    let code = match (parameters, last) {
        (_, 'A') => KeyCode::Up,
        (_, 'B') => KeyCode::Down,
        (_, 'C') => KeyCode::Right,
        (_, 'D') => KeyCode::Left,
        (_, 'H') | ("1" | "7", '~') => KeyCode::Home,
        (_, 'F') | ("4" | "8", '~') => KeyCode::End,
        (_, 'Z') => KeyCode::BackTab,
        ("3", '~') => KeyCode::Delete,
        ("5", '~') => KeyCode::PageUp,
        ("6", '~') => KeyCode::PageDown,
        _ => return None,
    };
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => Some(Input::Key(key)),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Mouse(mouse) => Some(Input::Mouse(mouse)),
        // The size is asked for when the kernel says that it changed.
        Event::Key(_) | Event::Resize(..) | Event::FocusGained | Event::FocusLost => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;

    use nix::pty::openpty;

    use super::*;

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn typed(text: &str) -> Vec<Event> {
        text.chars().map(|c| key(if c == '\x1b' { KeyCode::Esc } else { KeyCode::Char(c) })).collect()
    }

    fn codes(text: &str) -> Vec<Input> {
        stitch(typed(text))
    }

    #[test]
    fn a_cut_sequence_becomes_the_key_it_was() {
        let plain = |code| vec![Input::Key(KeyEvent::new(code, KeyModifiers::NONE))];
        for (text, code) in [
            ("\x1b[A", KeyCode::Up),
            ("\x1bOB", KeyCode::Down),
            ("\x1b[1;5C", KeyCode::Right),
            ("\x1b[6~", KeyCode::PageDown),
            ("\x1b", KeyCode::Esc),
            ("a", KeyCode::Char('a')),
        ] {
            assert_eq!(codes(text), plain(code), "{text:?}");
        }
        assert_eq!(codes("\x1ba"), [Input::Key(KeyEvent::new(KeyCode::Char('a'), KeyModifiers::ALT))]);
    }

    #[test]
    fn an_answer_of_the_terminal_is_no_key() {
        assert_eq!(codes("\x1b[24;80R"), []);
        assert_eq!(codes("\x1b[?62;4c"), []);
        assert_eq!(codes("\x1b["), []);
    }

    #[test]
    fn a_paste_whose_start_was_cut_is_still_a_paste() {
        assert!(has_cut_paste(&typed("x\x1b[200~ayQ")));
        assert_eq!(codes("\x1b[200~ayQ"), [Input::Paste("ayQ".to_owned())]);
    }

    #[test]
    fn five_hundred_keys_in_one_go_are_five_hundred_keys() {
        let text: String = ('a'..='y').cycle().take(500).collect();
        assert_eq!(codes(&text).len(), 500);
    }

    #[test]
    fn releases_and_repeats_are_not_told() {
        for kind in [KeyEventKind::Release, KeyEventKind::Repeat] {
            let event = Event::Key(KeyEvent { kind, ..KeyEvent::new(KeyCode::Char('a'), KeyModifiers::NONE) });
            assert_eq!(stitch(vec![event]), []);
        }
    }

    #[test]
    fn the_watch_ends_when_the_terminal_is_gone_and_not_before() {
        let pty = openpty(None, None).unwrap();
        let slave = pty.slave;
        let (sender, ended) = std::sync::mpsc::channel();
        thread::spawn(move || {
            wait_for_hang_up(&slave);
            let _ = sender.send(());
        });
        // Neither silence nor what is typed is the end of a terminal.
        assert_eq!(ended.recv_timeout(Duration::from_millis(100)), Err(RecvTimeoutError::Timeout));
        nix::unistd::write(&pty.master, b"typed\n").unwrap();
        assert_eq!(ended.recv_timeout(Duration::from_millis(100)), Err(RecvTimeoutError::Timeout));
        drop(pty.master);
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(()));
    }
}
