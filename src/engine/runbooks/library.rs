//! Every runbook there is: those inside the program, and one's own, which replace shipped ones of the same id.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parse::parse;
use crate::engine::model::Runbook;
use crate::engine::snapshot::FileProblem;

/// Origin of the runbooks inside the program.
pub const SHIPPED_ORIGIN: &str = "shipped";

/// Names a file of the folder `runbooks/` and takes its text in.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../runbooks/", $name, ".md")))),*]
    };
}

/// The starter library: file name without ending, and text.
const SHIPPED: &[(&str, &str)] = shipped![
    "cancel-slow-query",
    "drain-queue",
    "find-cpu",
    "find-memory",
    "free-disk",
    "free-machine-disk",
    "release-connections",
    "restart-leaking",
    "restart-service",
    "restart-unit",
    "revert-config",
    "revert-network-policy",
    "rollback-deploy",
    "scale-out",
];

/// Runbooks by id, and what is wrong with files that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Library {
    runbooks: BTreeMap<Arc<str>, Arc<Runbook>>,
    problems: Vec<FileProblem>,
}

impl Library {
    /// The starter library.
    #[must_use]
    pub fn shipped() -> Self {
        let mut library = Self::default();
        for (name, text) in SHIPPED {
            match parse(SHIPPED_ORIGIN, text) {
                Ok(runbook) => library.insert(runbook),
                Err(problems) => library.problems.extend(
                    problems
                        .into_iter()
                        .map(|problem| FileProblem { file: format!("{SHIPPED_ORIGIN}: {name}.md").into(), ..problem }),
                ),
            }
        }
        library
    }

    /// Takes a file of one's own in. It replaces a shipped runbook of the same id; of two own ones the first stays. A file
    /// with mistakes changes nothing but the list of problems.
    pub fn add_text(&mut self, origin: &str, text: &str) {
        match parse(origin, text) {
            Err(problems) => self.problems.extend(problems),
            Ok(runbook) => match self.runbooks.get(&runbook.id) {
                Some(first) if first.origin.as_ref() != SHIPPED_ORIGIN => self.problems.push(FileProblem {
                    file: Arc::from(origin),
                    line: 0,
                    text: format!("its id `{}` is that of {}; rename one of them", runbook.id, first.origin).into(),
                }),
                _ => self.insert(runbook),
            },
        }
    }

    /// Records that a file or folder could not be read at all.
    pub fn add_problem(&mut self, problem: FileProblem) {
        self.problems.push(problem);
    }

    /// The runbook with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Runbook>> {
        self.runbooks.get(id)
    }

    /// Every mistake found so far.
    #[must_use]
    pub fn problems(&self) -> &[FileProblem] {
        &self.problems
    }

    /// Runbooks in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Runbook>> {
        self.runbooks.values()
    }

    fn insert(&mut self, runbook: Runbook) {
        self.runbooks.insert(Arc::clone(&runbook.id), Arc::new(runbook));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::engine::model::StepKind;

    #[test]
    fn every_file_of_the_folder_is_shipped_and_without_mistakes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        let files: BTreeSet<String> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let shipped: BTreeSet<String> = SHIPPED.iter().map(|(name, _)| format!("{name}.md")).collect();
        assert_eq!(files, shipped);
        let library = Library::shipped();
        assert_eq!(library.problems(), &[]);
        assert_eq!(library.iter().count(), SHIPPED.len(), "ids differ");
        for (name, _) in SHIPPED {
            assert_eq!(library.get(name).unwrap().id.as_ref(), *name, "the file is named after its id");
        }
    }

    #[test]
    fn every_shipped_runbook_looks_acts_and_verifies() {
        for runbook in Library::shipped().iter() {
            let has = |wanted: fn(&StepKind) -> bool| runbook.steps.iter().any(|step| wanted(&step.kind));
            assert!(has(|kind| matches!(kind, StepKind::Check(_))), "{}", runbook.id);
            // What uses up a machine is for a person to judge, so two of its pages only look.
            let only_looks = ["find-cpu", "find-memory"].contains(&runbook.id.as_ref());
            assert_ne!(has(|kind| matches!(kind, StepKind::Act(_))), only_looks, "{}", runbook.id);
            assert!(has(|kind| matches!(kind, StepKind::Verify { .. })), "{}", runbook.id);
            assert!(runbook.steps.iter().all(|step| !step.text.is_empty()), "{}: every step is explained", runbook.id);
            assert!(runbook.steps[0].text.contains("Not when"), "{}: says when not to use it", runbook.id);
        }
    }

    #[test]
    fn ones_own_replaces_a_shipped_one_and_a_broken_one_replaces_nothing() {
        let mut library = Library::shipped();
        let text = SHIPPED.iter().find(|(name, _)| *name == "free-disk").unwrap().1;
        library.add_text("own.md", &text.replace("owner = \"", "owner = \"ours, "));
        assert_eq!(library.get("free-disk").unwrap().origin.as_ref(), "own.md");
        assert_eq!(library.problems().len(), 0);
        library.add_text("twice.md", text);
        assert_eq!(library.get("free-disk").unwrap().origin.as_ref(), "own.md");
        assert!(library.problems()[0].text.contains("own.md"));
        library.add_text("broken.md", "# x\n");
        assert_eq!(library.get("free-disk").unwrap().origin.as_ref(), "own.md");
        assert_eq!(library.problems().last().unwrap().file.as_ref(), "broken.md");
    }
}
