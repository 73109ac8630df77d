//! Completions and the man page, made from the definition of the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Exit, Failure};
use crate::app::arguments::Arguments;

/// Prints completions for `shell`.
pub(super) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hypo", &mut text);
    write_out(&text)
}

/// Prints the man page.
pub(super) fn man() -> Result<Exit, Failure> {
    write_out(&man_page()?)
}

/// One page for everything: the commands' flags stand in it as well, because there are no pages of theirs.
fn man_page() -> io::Result<Vec<u8>> {
    let command = Arguments::command();
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    for one in command.get_subcommands() {
        let name = format!("hypo {}", one.get_name());
        describe(one, &name, &mut text)?;
        for inner in one.get_subcommands() {
            describe(inner, &format!("{name} {}", inner.get_name()), &mut text)?;
        }
    }
    page.render_extra_section(&mut text)?;
    page.render_version_section(&mut text)?;
    Ok(text)
}

/// The section of one command.
fn describe(command: &Command, name: &str, text: &mut Vec<u8>) -> io::Result<()> {
    let page = Man::new(command.clone().bin_name(name.to_owned()));
    let mut section = Vec::new();
    page.render_synopsis_section(&mut section)?;
    page.render_description_section(&mut section)?;
    page.render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section);
    writeln!(text, ".SH \"{}\"", name.to_uppercase())?;
    // Its parts are parts of a section here, and need no headings of their own.
    for line in section.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el ")) {
        writeln!(text, "{}", if line.starts_with(".SH ") { ".PP" } else { line })?;
    }
    Ok(())
}

fn write_out(text: &[u8]) -> Result<Exit, Failure> {
    match io::stdout().lock().write_all(text) {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => Err(problem.into()),
        _ => Ok(Exit::Done),
    }
}
