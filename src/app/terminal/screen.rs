//! The screen: ratatui's canvas on one side, one write a frame on the other.
//!
//! Writing happens on a thread of its own, so that a stalled line never holds up the keyboard. While a frame is on its
//! way no other is made; what changes meanwhile goes into the next one.

use std::convert::Infallible;
use std::io;
use std::os::fd::AsFd;
use std::thread;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc;

use super::colour_depth::ColourDepth;
use super::encoder::Encoder;

/// The terminal's size; that of a teletype where it does not say.
#[must_use]
pub fn terminal_size() -> Size {
    match crossterm::terminal::size() {
        Ok((width, height)) if width > 0 && height > 0 => Size::new(width, height),
        _ => Size::new(80, 24),
    }
}

/// Where ratatui believes it draws. It keeps the size and the cursor; the cells are read from ratatui's own buffer.
#[derive(Debug, Default)]
struct Canvas {
    size: Size,
    cursor: Position,
    is_cursor_shown: bool,
}

impl Backend for Canvas {
    type Error = Infallible;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, _: I) -> Result<(), Infallible> {
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.is_cursor_shown = false;
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.is_cursor_shown = true;
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.cursor = position.into();
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Turns what is drawn into bytes; knows nothing of where they go.
#[derive(Debug)]
pub struct Painter {
    terminal: Terminal<Canvas>,
    encoder: Encoder,
}

impl Painter {
    /// For a terminal of this size.
    #[must_use]
    pub fn new(size: Size, depth: ColourDepth, is_ascii: bool) -> Self {
        let Ok(terminal) = Terminal::new(Canvas { size, ..Canvas::default() });
        Self { terminal, encoder: Encoder::new(depth, is_ascii) }
    }

    /// The terminal has another size; the next frame is drawn whole.
    pub fn resize(&mut self, size: Size) {
        self.terminal.backend_mut().size = size;
        self.encoder.forget();
    }

    /// The next frame is drawn whole.
    pub fn forget(&mut self) {
        self.encoder.forget();
    }

    /// The size drawn for.
    #[must_use]
    pub fn size(&self) -> Size {
        self.terminal.backend().size
    }

    /// Draws a frame; the bytes that show it, empty where nothing changed.
    pub fn paint(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Vec<u8> {
        let Ok(frame) = self.terminal.draw(draw);
        let buffer = frame.buffer.clone();
        let canvas = self.terminal.backend();
        let cursor = canvas.is_cursor_shown.then_some(canvas.cursor);
        self.encoder.encode(&buffer, cursor)
    }
}

/// The way out to the terminal: frames go in, the answer that one has been written comes back.
#[derive(Debug)]
pub struct Output {
    frames: std::sync::mpsc::Sender<Vec<u8>>,
    written: mpsc::UnboundedReceiver<io::Result<()>>,
    pending_count: usize,
}

impl Output {
    /// Starts the writing thread on standard output.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let (frames, queue) = std::sync::mpsc::channel::<Vec<u8>>();
        let (report, written) = mpsc::unbounded_channel();
        thread::Builder::new().name("terminal-output".to_owned()).spawn(move || {
            for bytes in queue {
                let outcome = write_whole(&bytes);
                let is_broken = outcome.is_err();
                if report.send(outcome).is_err() || is_broken {
                    return;
                }
            }
        })?;
        Ok(Self { frames, written, pending_count: 0 })
    }

    /// True while something is still on its way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.pending_count > 0
    }

    /// Hands bytes over; nothing happens for none.
    pub fn write(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() && self.frames.send(bytes).is_ok() {
            self.pending_count += 1;
        }
    }

    /// Waits until the next hand-over has been written.
    ///
    /// # Errors
    /// When the terminal no longer takes anything.
    pub async fn written(&mut self) -> io::Result<()> {
        let outcome = self.written.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()));
        self.pending_count = self.pending_count.saturating_sub(1);
        outcome
    }
}

/// Writes all of it to standard output: one system call, and more only where the terminal took a part.
///
/// # Errors
/// When the terminal no longer takes anything.
pub fn write_whole(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match nix::unistd::write(stdout.as_fd(), bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(nix::errno::Errno::EINTR) => {}
            Err(nix::errno::Errno::EAGAIN) => thread::yield_now(),
            Err(problem) => return Err(problem.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ratatui::widgets::Paragraph;

    use super::*;

    fn draw(painter: &mut Painter, text: &str, cursor: Option<(u16, u16)>) -> Vec<u8> {
        painter.paint(|frame| {
            frame.render_widget(Paragraph::new(text), frame.area());
            if let Some(at) = cursor {
                frame.set_cursor_position(at);
            }
        })
    }

    #[test]
    fn an_unchanged_frame_is_no_bytes_at_all() {
        let mut painter = Painter::new(Size::new(20, 3), ColourDepth::Cube, false);
        assert!(!draw(&mut painter, "hello", Some((1, 0))).is_empty());
        for _ in 0..3 {
            assert_eq!(draw(&mut painter, "hello", Some((1, 0))), b"");
        }
        assert_eq!(draw(&mut painter, "hallo", Some((1, 0))), b"a\x08");
    }

    #[test]
    fn a_new_size_or_a_disturbed_screen_is_drawn_whole() {
        let mut painter = Painter::new(Size::new(20, 3), ColourDepth::Cube, false);
        draw(&mut painter, "hello", None);
        painter.resize(Size::new(9, 2));
        let bytes = draw(&mut painter, "hello", None);
        let mut terminal = vt100::Parser::new(2, 9, 0);
        terminal.process(&bytes);
        assert_eq!(terminal.screen().contents(), "hello");
        painter.forget();
        assert!(draw(&mut painter, "hello", None).len() >= 5);
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(0, 0), (1, 1), (0, 5), (5, 0), (400, 100)] {
            let mut painter = Painter::new(Size::new(width, height), ColourDepth::Cube, false);
            draw(&mut painter, "hello", Some((3, 3)));
        }
    }
}
