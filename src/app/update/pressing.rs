//! A key goes down: what it means with the keys before it, where the screen is now.

use super::typed::withdrawn;
use super::{asking, give, overlays, read_only};
use crate::app::commands::Command;
use crate::app::effect::Effect;
use crate::app::hints::{self, key_of};
use crate::app::key::{self, Key};
use crate::app::keymap::Lookup;
use crate::app::offered::Offered;
use crate::app::state::{AppState, TextOver};
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::limits::ACT_KEY_INERT_MS;
use crate::views::ui_state::Overlay;

pub(super) fn press(state: &mut AppState, key: Key, now: Timestamp) -> Vec<Effect> {
    state.let_go(now);
    state.ui.notice = None;
    // Whoever goes somewhere is not taken elsewhere any more.
    state.left_place = None;
    if key.to_string() == "Ctrl-c" {
        return interrupt(state, now);
    }
    if is_typed_on(state, key, now) {
        return Vec::new();
    }
    if asking::is_none_of_it(state, key) {
        // It means what it means in the pane.
        state.ui.overlay = Overlay::None;
    }
    state.pending.push(key);
    state.pending_at = now;
    let keys = state.pending.clone();
    let effects = match state.keymap.lookup(hints::layers(state), &keys, |info| hints::fits(state, info)) {
        Lookup::Prefix => return Vec::new(),
        Lookup::Command(command) => {
            state.pending.clear();
            give(state, command, now)
        }
        Lookup::Nothing => {
            state.pending.clear();
            unbound(state, &keys, now)
        }
    };
    // What the operator brought on the screen has been looked for; only a refresh surprises.
    state.offered = Offered::of(&state.snapshot, &state.ui);
    effects
}

/// Holds back what is typed on when a note has just been sent, or a question withdrawn: it was meant as text or as the answer,
/// so none of it is a command until the hand has rested for a moment.
fn is_typed_on(state: &mut AppState, key: Key, now: Timestamp) -> bool {
    let is_text = key.typed_char().is_some() || key.code == crossterm::event::KeyCode::Enter;
    let is_soon = |sent: Timestamp| (0..ACT_KEY_INERT_MS).contains(&now.since_ms(sent));
    let Some((_, over)) = state.text_over.filter(|(at, _)| is_soon(*at)) else { return false };
    if state.is_typing() || !is_text {
        return false;
    }
    state.text_over = Some((now, over));
    let what = match over {
        TextOver::Sent => "the note is sent".to_owned(),
        TextOver::Withdrawn { is_kept } => withdrawn(state, is_kept),
    };
    state.refuse(format!("{what}; what was typed after it was not taken for commands"));
    true
}

/// Ctrl-C leaves at the second press within a second: one press is an accident too often.
fn interrupt(state: &mut AppState, now: Timestamp) -> Vec<Effect> {
    state.pending.clear();
    if state.interrupted_at.is_some_and(|before| now.since_ms(before) <= SECOND_MS) {
        return vec![Effect::Quit];
    }
    state.interrupted_at = Some(now);
    state.say("Ctrl-C once more within a second leaves");
    Vec::new()
}

fn unbound(state: &mut AppState, keys: &[Key], now: Timestamp) -> Vec<Effect> {
    if let Some(key) = keys.last().filter(|key| key.is_alt && is_apart(state, **key)) {
        return apart(state, keys.len() > 1, *key, now);
    }
    if state.is_typing() {
        if let [key] = keys {
            overlays::type_key(state, *key);
        }
        return Vec::new();
    }
    let is_esc = keys.last().is_some_and(|key| key.to_string() == "Esc");
    if is_esc && keys.len() == 1 {
        // Esc always goes back one, whatever a keymap says.
        return give(state, Command::Back, now);
    }
    let text = key::display_sequence(keys);
    if state.ui.is_read_only
        && let Lookup::Command(command) =
            state.keymap.lookup(hints::layers(state), keys, |info| info.fits(state.ui.pane))
    {
        state.refuse(read_only(command.info()));
    } else if !is_esc && !matches!(state.ui.overlay, Overlay::Confirm(_) | Overlay::Unsent) {
        state.say(format!("{text} does nothing here; {} lists the keys", key_of(state, Command::Help)));
    }
    Vec::new()
}

/// True for what may be two keys: functions of a terminal's own come with Alt in a shape that no two keys give.
fn is_apart(state: &AppState, key: Key) -> bool {
    use crossterm::event::KeyCode;
    matches!(key.code, KeyCode::Char(_) | KeyCode::Enter) && !overlays::takes(state, key)
}

/// Esc and a key right after it reach us as one, that key with Alt: where that means nothing, they are two. An Esc
/// within a sequence only ends it.
fn apart(state: &mut AppState, is_in_sequence: bool, key: Key, now: Timestamp) -> Vec<Effect> {
    let esc = Key::plain(crossterm::event::KeyCode::Esc);
    let mut effects = if is_in_sequence { Vec::new() } else { press(state, esc, now) };
    effects.extend(press(state, Key { is_alt: false, ..key }, now));
    effects
}
