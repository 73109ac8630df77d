//! A program on a terminal whose other end the test holds: it reads what is drawn as it likes, and takes the terminal away without a
//! signal, for it is not the program's controlling one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{Winsize, openpty};
use nix::unistd::Pid;

use super::engines::PATIENCE;

/// The kernel counts time on a processor in these.
const TICK_MS: u64 = 10;

/// The program, and its terminal.
pub struct HeldTerminal {
    child: Child,
    terminal: Option<File>,
    /// The program's end of it, to see whether it takes more.
    inner: OwnedFd,
}

/// How a program ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// How long it took from when it was waited for.
    pub took: Duration,
    /// How long it was on a processor meanwhile.
    pub busy: Duration,
}

impl HeldTerminal {
    /// Starts the program there.
    pub fn start(command: &mut Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        // Else the child would hold its own terminal open.
        for end in [&pty.master, &pty.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        command.env("TERM", "xterm-256color");
        let child = command.stdin(end(&pty.slave)).stdout(end(&pty.slave)).stderr(end(&pty.slave)).spawn().unwrap();
        // The command has them still.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child, terminal: Some(File::from(pty.master)), inner: pty.slave }
    }

    fn terminal(&self) -> &File {
        self.terminal.as_ref().expect("the terminal is there")
    }

    /// True where there is something to read before `wait` is over.
    fn is_readable(&self, wait: Duration) -> bool {
        let milliseconds = u16::try_from(wait.as_millis()).unwrap();
        let mut watched = [PollFd::new(self.terminal().as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, milliseconds).unwrap() > 0
    }

    /// Reads until `text` is drawn.
    #[track_caller]
    pub fn read_until(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            assert!(Instant::now() < end, "no `{text}` in {}", String::from_utf8_lossy(&seen));
            if self.is_readable(Duration::from_millis(100)) {
                let mut buffer = [0; 4_096];
                let count = self.terminal().read(&mut buffer).unwrap();
                seen.extend_from_slice(&buffer[..count]);
            }
        }
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.terminal().write_all(keys).unwrap();
    }

    /// Presses `keys` again and again and reads nothing, until the terminal takes nothing more of what is drawn.
    #[track_caller]
    pub fn fill(&mut self, keys: &[u8]) {
        // A busy machine draws one frame for many keys.
        let end = Instant::now() + 4 * PATIENCE;
        let mut full = 0;
        while full < 5 {
            assert!(Instant::now() < end, "it does not draw enough to fill a terminal");
            self.press(keys);
            std::thread::sleep(Duration::from_millis(5));
            let mut watched = [PollFd::new(self.inner.as_fd(), PollFlags::POLLOUT)];
            full = if poll(&mut watched, 0_u16).unwrap() > 0 { 0 } else { full + 1 };
        }
    }

    /// Takes the terminal away.
    pub fn lose(&mut self) {
        self.terminal = None;
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub fn ends(mut self) -> Ended {
        let (began, before) = (Instant::now(), busy(self.pid()));
        // Until it is waited for, what it took is told of it.
        while !stat(self.pid()).starts_with('Z') {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = Ended { took: began.elapsed(), busy: busy(self.pid()).saturating_sub(before) };
        self.child.wait().unwrap();
        ended
    }
}

impl Drop for HeldTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kernel says of a process, from its state on.
fn stat(pid: Pid) -> String {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    text.rsplit_once(") ").unwrap_or_else(|| panic!("{path}: {text}")).1.to_owned()
}

/// How long a process has been on a processor since it began.
pub fn busy(pid: Pid) -> Duration {
    let stat = stat(pid);
    // Of itself in its own code and in the kernel.
    let ticks: u64 = stat.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * TICK_MS)
}

/// True while the process is stopped, as by `SIGTSTP`.
pub fn is_stopped(pid: Pid) -> bool {
    stat(pid).starts_with('T')
}

/// Holds consoles that lost their terminal to have ended within a tenth of a second, and without spinning until then. The least of them
/// counts: a machine that has other things to do holds up some, and never all of them on purpose.
#[track_caller]
pub fn ends_at_once(consoles: &[Ended]) {
    let took = consoles.iter().map(|ended| ended.took).min().unwrap();
    let busy = consoles.iter().map(|ended| ended.busy).min().unwrap();
    println!("a lost terminal is noticed and the console gone in {took:?}, {busy:?} on a processor, of {consoles:?}");
    assert!(took < Duration::from_millis(100), "it took {took:?} at the least: {consoles:?}");
    assert!(busy < Duration::from_millis(100), "it was on a processor for {busy:?} at the least: {consoles:?}");
}
