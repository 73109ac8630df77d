//! A page of a runbook from what a model proposes. Every step of it asks a person; there is no command on it.

use std::fmt::Write as _;

use super::check::CheckedSentence;
use super::fence::harmless;

/// Steps of a draft.
const STEPS_MAX: usize = 20;

/// The page. `problem` is the kind of cause it is for, as runbooks call it.
#[must_use]
pub fn page(question: &str, problem: &str, steps: &[CheckedSentence]) -> String {
    let kept: Vec<String> = steps
        .iter()
        .filter(|step| !step.is_struck())
        .take(STEPS_MAX)
        .map(|step| harmless(&step.text).replace(['"', '\\'], "'"))
        .collect();
    let mut page = format!(
        "# Draft of a model: {}

```toml runbook
id = \"draft-of-a-model\"
version = \"1\"
owner = \"team:FILL IN\"
problem = [\"{problem}\"]
max_actions = 1
estimate = \"30m\"
```

FILL IN: whether this is right. A language model proposed it; nobody has looked at it yet. Nothing on this page is carried out: each
step asks whether a person has done it.
",
        harmless(question).replace('"', "'")
    );
    for (at, text) in kept.iter().enumerate() {
        let next = if at + 1 < kept.len() { format!("step-{}", at + 2) } else { "end".to_owned() };
        // Writing into a String does not fail.
        let _written = write!(
            page,
            "
```toml step step-{}
kind = \"ask\"
title = \"{text}\"
question = \"Has a person done this, and is it as expected: {text}\"
choices = [{{ text = \"yes\", goto = \"{next}\" }}, {{ text = \"no, hand it over\", goto = \"escalate\" }}]
```

FILL IN: what to look at before and after.
",
            at + 1
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::assistant::check::Verdict;
    use crate::engine::runbooks::parse;

    #[test]
    fn a_page_is_read_and_acts_on_nothing_whatever_the_steps_say() {
        let step = |text: &str, verdict: Verdict| CheckedSentence { text: text.into(), verdict };
        let steps = [
            step("roll \"payment\" back to v2.13 \\ {service}", Verdict::Unchecked),
            step("```\nkind = \"act\"\nrun = [\"rm\", \"-rf\", \"/\"]\n```", Verdict::Unchecked),
            step("restart billing", Verdict::Struck { reason: "no".into() }),
        ];
        let text = page("why is \"it\" ```slow```", "bad_deploy", &steps);
        let page = parse("draft-of-a-model", &text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        assert_eq!(page.steps.len(), 2, "{text}");
        assert!(page.steps.iter().all(|step| step.act().is_none() && step.call().is_none()));
        assert!(!text.contains("billing"));
    }
}
