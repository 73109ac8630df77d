//! While the engine is not heard what is shown grows old: that is told with its age, and nothing is done by it.

use std::sync::Arc;

use crate::app::attach::pump::Link;
use crate::app::commands::CommandInfo;
use crate::app::state::AppState;
use crate::engine::clock::Timestamp;
use crate::views::text;
use crate::views::ui_state::Unheard;

/// It stands otherwise with the line to the engine, which was last heard at this time.
pub(super) fn take(state: &mut AppState, link: Link, heard_at: Timestamp) {
    let why = match link {
        Link::Up => {
            (state.unheard_since, state.ui.unheard) = (None, None);
            return state.say("the engine is back");
        }
        Link::Started => {
            (state.unheard_since, state.ui.unheard) = (None, None);
            return state.say("another engine runs than before; steps that ran then are unknown until looked at");
        }
        Link::Silent => None,
        Link::Lost(why) => Some(why),
        Link::Ended(why) => Some(Arc::from(format!("{why}; it is joined again where somebody starts one"))),
    };
    // Another try that failed changes nothing of when it was heard.
    state.unheard_since.get_or_insert(heard_at);
    state.ui.unheard = Some(Unheard { ms: 0, why });
}

/// Why a command that acts is not given: what is written is no act before it is sent.
pub(super) fn held_back(state: &AppState, info: &CommandInfo) -> Option<String> {
    let unheard = state.ui.unheard.as_ref().filter(|_| !info.is_written())?;
    Some(format!(
        "the engine was last heard {} ago, so what {} would act on may have changed; nothing is done before it is heard again",
        text::short_age(unheard.ms),
        info.short
    ))
}

/// Why the answer to a question is not taken.
pub(super) fn unanswerable(state: &AppState) -> Option<String> {
    let unheard = state.ui.unheard.as_ref()?;
    let age = text::short_age(unheard.ms);
    Some(format!("the engine was last heard {age} ago; nothing was done, answer once it is heard again"))
}
