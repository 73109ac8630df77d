//! The key table of the README, made from the command table and a keymap.

use super::commands::{COMMANDS, Scope};
use super::keymap::Keymap;

/// A Markdown table of what can be pressed in the panes, most useful first.
#[must_use]
pub fn key_table(keymap: &Keymap) -> String {
    let mut table = String::from("| keys | what it does | in words |\n| --- | --- | --- |\n");
    for info in COMMANDS.iter().filter(|info| matches!(info.scope, Scope::Panes(_))) {
        let keys: Vec<String> = keymap.all_keys(info.command).iter().map(|keys| format!("`{keys}`")).collect();
        if !keys.is_empty() {
            table.push_str(&format!("| {} | {} | {} |\n", keys.join(", "), info.title, info.help));
        }
    }
    table
}
