//! `hypo runbook new`: a page to begin from, with every key explained.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use super::super::{Exit, Failure, output};
use crate::app::arguments::RunbookNewArguments;
use crate::engine::runbooks::parse;

/// The page; what must be filled in says FILL IN, which lint finds.
const TEMPLATE: &str = include_str!("template.md");

pub(super) fn run(arguments: &RunbookNewArguments) -> Result<Exit, Failure> {
    let page = page(&arguments.id, &arguments.problem);
    if let Err(problems) = parse(&arguments.id, &page) {
        let reasons: Vec<&str> = problems.iter().map(|problem| problem.text.as_ref()).collect();
        return Err(reasons.join("; ").into());
    }
    let file = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.md", arguments.id)));
    let failed = |problem: std::io::Error| format!("cannot write {}: {problem}", file.display());
    let mut out = OpenOptions::new().write(true).create_new(true).open(&file).map_err(failed)?;
    out.write_all(page.as_bytes()).map_err(failed)?;
    output::line(&format!(
        "wrote {}; `hypo runbook lint {}` says what is to be filled in",
        file.display(),
        file.display()
    ))?;
    Ok(Exit::Done)
}

fn page(id: &str, problem: &str) -> String {
    TEMPLATE.replace("{{id}}", id).replace("{{problem}}", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::runbooks::lint::{PageText, Surroundings, lint};

    #[test]
    fn the_page_is_read_and_lint_asks_only_for_what_is_to_be_filled_in() {
        let text = page("restart-mailer", "queue_backlog");
        let pages = [PageText { file: "new.md", text: &text }];
        let findings = lint(&pages, &Surroundings { today: None, metrics: None, link_is_alive: &|_, _| None });
        assert!(findings.iter().all(|finding| ["fill-in", "never-verified"].contains(&finding.rule)), "{findings:#?}");
        assert!(findings.iter().filter(|finding| finding.rule == "fill-in").count() >= 5);
    }

    #[test]
    fn an_id_or_a_kind_that_there_is_not_is_refused_with_what_was_meant() {
        for (id, problem, says) in [("Bad Id", "bad_deploy", "lower-case"), ("x", "bad_deplyo", "did you mean")] {
            let problems = parse("x", &page(id, problem)).unwrap_err();
            assert!(problems.iter().any(|problem| problem.text.contains(says)), "{problems:?}");
        }
    }
}
