//! The key table of the README, made from the command table and a keymap.

use super::commands::{COMMANDS, Scope};
use super::keymap::Keymap;

/// Markdown tables of what can be pressed: in the panes, while text is typed, while a question is asked or a text offered; most useful first.
#[must_use]
pub fn key_table(keymap: &Keymap) -> String {
    let in_panes = rows(keymap, |scope| matches!(scope, Scope::Panes(_)));
    let in_notes = rows(keymap, |scope| scope == Scope::Note);
    let in_questions = rows(keymap, |scope| scope == Scope::Asking);
    let in_text = rows(keymap, |scope| scope == Scope::Prompt);
    let asked = rows(keymap, |scope| scope == Scope::Confirm);
    let offered = rows(keymap, |scope| scope == Scope::Offer);
    format!(
        "{HEAD}{in_panes}\nWhile a text of several lines is written:\n\n{HEAD}{in_notes}\nWhile a question is typed in Ask:\n\n{HEAD}{in_questions}\nWhile any \
         text is typed:\n\n{HEAD}{in_text}\n\
         While a question is asked:\n\n{HEAD}{asked}\n\
         While a text is offered that was not sent:\n\n{HEAD}{offered}"
    )
}

const HEAD: &str = "| keys | what it does | in words |\n| --- | --- | --- |\n";

fn rows(keymap: &Keymap, is_wanted: impl Fn(Scope) -> bool) -> String {
    let mut rows = String::new();
    for info in COMMANDS.iter().filter(|info| is_wanted(info.scope)) {
        let keys: Vec<String> = keymap.all_keys(info.command).iter().map(|keys| format!("`{keys}`")).collect();
        if !keys.is_empty() {
            rows.push_str(&format!("| {} | {} | {} |\n", keys.join(", "), info.title, info.help));
        }
    }
    rows
}
