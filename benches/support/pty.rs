//! A pseudo-terminal of 80x24 with a program in it.

use std::io::{Read, Write};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The program and the ends of its terminal.
pub struct Pty {
    /// Closing it would hang the program up.
    pub master: Box<dyn MasterPty + Send>,
    /// The program.
    pub child: Box<dyn Child + Send + Sync>,
    /// What it writes.
    pub reader: Box<dyn Read + Send>,
    /// Where its keys are pressed. Without a writer that is kept, it would read its end.
    pub keys: Box<dyn Write + Send>,
}

/// Starts `command` in one.
pub fn start(mut command: CommandBuilder) -> Pty {
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
    let child = pty.slave.spawn_command(command).expect("the program starts");
    let reader = pty.master.try_clone_reader().expect("its output can be read");
    let keys = pty.master.take_writer().expect("its keys can be pressed");
    Pty { master: pty.master, child, reader, keys }
}
