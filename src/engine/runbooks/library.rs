//! Every runbook there is: those inside the program, and one's own, which replace shipped ones of the same id.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parse::parse;
use super::{include, lint};
use crate::engine::input::{RunbookFile, RunbookFiles};
use crate::engine::model::{Runbook, RunbookPage, StepSpec};
use crate::engine::snapshot::FileProblem;

/// Origin of the runbooks inside the program.
pub const SHIPPED_ORIGIN: &str = "shipped";

/// Characters of a page's introduction, and of its other prose, that are told: enough to find it by.
const PAGE_CHARS_MAX: usize = 8_000;

/// Names a file of the folder `runbooks/` and takes its text in.
macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../runbooks/", $name, ".md")))),*]
    };
}

/// The starter library: file name without ending, and text.
const SHIPPED: &[(&str, &str)] = shipped![
    "cancel-slow-query",
    "catch-replica-up",
    "drain-queue",
    "drain-zone",
    "find-cpu",
    "find-memory",
    "free-disk",
    "free-machine-disk",
    "isolate-third-party",
    "limit-overload",
    "mend-clock",
    "mend-crash-loop",
    "mend-dns",
    "mend-ingress",
    "patch-emergency",
    "place-pending-pods",
    "promote-replica",
    "refill-cache",
    "reissue-secret",
    "release-connections",
    "renew-certificate",
    "replace-node",
    "rerun-backup",
    "restart-leaking",
    "restart-service",
    "restart-unit",
    "revert-config",
    "revert-network-policy",
    "revive-monitoring",
    "rollback-deploy",
    "scale-out",
];

/// The pages of the starter library: file name without ending, and text.
#[must_use]
pub fn shipped_pages() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

/// Runbooks by id, and what is wrong with files that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// As they stand in their files.
    pages: BTreeMap<Arc<str>, Arc<Runbook>>,
    /// With what they include.
    runbooks: BTreeMap<Arc<str>, Arc<Runbook>>,
    problems: Vec<FileProblem>,
    /// What is wrong with what pages include, as they are now.
    include_problems: Vec<FileProblem>,
}

impl Library {
    /// The starter library.
    #[must_use]
    pub fn shipped() -> Self {
        let mut library = Self::default();
        for (name, text) in SHIPPED {
            match parse(SHIPPED_ORIGIN, text) {
                Ok(runbook) => library.insert(Arc::new(runbook)),
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
            Ok(mut runbook) => match self.pages.get(&runbook.id) {
                Some(first) if first.origin.as_ref() != SHIPPED_ORIGIN => self.problems.push(FileProblem {
                    file: Arc::from(origin),
                    line: 0,
                    text: format!("its id `{}` is that of {}; rename one of them", runbook.id, first.origin).into(),
                }),
                _ => {
                    runbook.mistake = lint::mistake(origin, text);
                    self.insert(Arc::new(runbook));
                }
            },
        }
    }

    /// Puts the files of one's own in the place of those taken in before. One that cannot be read as a runbook any more
    /// stays in force as it was when it last could.
    pub fn take_own(&mut self, own: &RunbookFiles) {
        let before = std::mem::replace(self, Self::shipped());
        for RunbookFile { file, text } in &own.files {
            let problems_before = self.problems.len();
            self.add_text(file, text);
            let last_good = before.pages.values().find(|runbook| runbook.origin == *file);
            let is_broken = self.problems.len() > problems_before;
            if let Some(last_good) = last_good.filter(|last_good| is_broken && self.is_free(&last_good.id)) {
                let text = format!("version {} of it stays in force until it is mended", last_good.version);
                self.problems.push(FileProblem { file: Arc::clone(file), line: 0, text: text.into() });
                self.insert(Arc::clone(last_good));
            }
        }
        self.problems.extend(own.problems.iter().cloned());
    }

    /// True where no file of one's own has this id.
    fn is_free(&self, id: &str) -> bool {
        self.pages.get(id).is_none_or(|runbook| runbook.origin.as_ref() == SHIPPED_ORIGIN)
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
    pub fn problems(&self) -> Vec<FileProblem> {
        self.problems.iter().chain(&self.include_problems).cloned().collect()
    }

    /// Runbooks in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Runbook>> {
        self.runbooks.values()
    }

    /// What each runbook says of itself, in order of id.
    #[must_use]
    pub fn told(&self) -> Vec<RunbookPage> {
        self.iter().map(|runbook| told(runbook)).collect()
    }

    /// A page may be included by one that came before it, so those are put together anew.
    fn insert(&mut self, page: Arc<Runbook>) {
        self.pages.insert(Arc::clone(&page.id), Arc::clone(&page));
        self.runbooks.insert(Arc::clone(&page.id), page);
        self.include_problems.clear();
        for page in self.pages.values().filter(|page| !page.includes.is_empty()) {
            match include::whole(page, &self.pages) {
                Ok(whole) => {
                    self.runbooks.insert(Arc::clone(&page.id), Arc::new(whole));
                }
                Err(text) => {
                    self.runbooks.remove(&page.id);
                    let file = Arc::clone(&page.origin);
                    self.include_problems.push(FileProblem { file, line: 0, text: text.into() });
                }
            }
        }
    }
}

fn told(runbook: &Runbook) -> RunbookPage {
    let cut = |text: &str| Arc::<str>::from(text.trim().chars().take(PAGE_CHARS_MAX).collect::<String>());
    let text = |step: &StepSpec| cut(&step.text);
    let texts = runbook.steps.iter().skip(1).map(|step| step.text.trim()).filter(|text| !text.is_empty());
    let alerts = runbook.alerts.iter().flatten().filter(|matcher| matcher.is_equal);
    RunbookPage {
        id: Arc::clone(&runbook.id),
        title: Arc::clone(&runbook.title),
        version: Arc::clone(&runbook.version),
        owner: Arc::clone(&runbook.owner),
        origin: Arc::clone(&runbook.origin),
        verified: runbook.verified.clone(),
        problems: runbook.problems.iter().map(|kind| Arc::from(kind.title())).collect(),
        symptoms: runbook.symptoms.clone(),
        alerts: alerts.map(|matcher| Arc::clone(&matcher.value)).collect(),
        steps: runbook.steps.iter().map(|step| Arc::clone(&step.title)).collect(),
        introduction: runbook.steps.first().map_or_else(|| Arc::from(""), text),
        text: cut(&texts.collect::<Vec<_>>().join("\n\n")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::engine::model::{Call, StepKind};

    #[test]
    fn every_file_of_the_folder_is_shipped_and_without_mistakes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
        // The folder beside them has playbooks, which are no pages.
        let pages = folder.read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file());
        let files: BTreeSet<String> = pages.map(|entry| entry.file_name().into_string().unwrap()).collect();
        let shipped: BTreeSet<String> = SHIPPED.iter().map(|(name, _)| format!("{name}.md")).collect();
        assert_eq!(files, shipped);
        let library = Library::shipped();
        assert_eq!(library.problems(), []);
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
    fn every_shipped_restart_of_pods_says_how_many_may_go_at_a_time() {
        let mut limited = Vec::new();
        for runbook in Library::shipped().iter() {
            for step in &runbook.steps {
                let StepKind::Act(act) = &step.kind else { continue };
                let Call::Command { argv } = &act.call else { continue };
                let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
                // A server that keeps its data alone has one member, and all of it goes.
                if let ["kubectl", "rollout", "restart", object, ..] = words[..]
                    && !object.starts_with("statefulset/")
                {
                    assert_eq!(act.blast.share_max, Some(50), "{} {}", runbook.id, step.name);
                    limited.push(runbook.id.to_string());
                }
            }
        }
        assert_eq!(limited.len(), 7, "{limited:?}");
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

    #[test]
    fn a_file_that_breaks_stays_in_force_as_it_was_and_one_that_goes_is_gone() {
        let text = SHIPPED.iter().find(|(name, _)| *name == "free-disk").unwrap().1;
        let own = |text: &str| RunbookFiles {
            files: vec![RunbookFile { file: Arc::from("own.md"), text: Arc::from(text) }],
            problems: Vec::new(),
        };
        let mut library = Library::shipped();
        let mine = text.replace("owner = \"", "owner = \"ours, ");
        library.take_own(&own(&mine));
        let hash = library.get("free-disk").unwrap().content_hash.clone();
        assert_eq!(library.problems(), []);
        library.take_own(&own(&mine.replace("owner", "ower")));
        assert_eq!(library.get("free-disk").unwrap().content_hash, hash);
        assert!(library.problems().iter().any(|problem| problem.line > 0));
        assert!(library.problems().last().unwrap().text.contains("stays in force"));
        // Once more broken: still the last good one.
        library.take_own(&own("# x\n"));
        assert_eq!(library.get("free-disk").unwrap().content_hash, hash);
        library.take_own(&RunbookFiles::default());
        assert_eq!(library.get("free-disk").unwrap().origin.as_ref(), SHIPPED_ORIGIN);
        assert_eq!(library.problems(), []);
    }

    #[test]
    fn a_page_includes_another_of_the_version_it_names() {
        let common = "# Common\n```toml runbook\nid = \"common\"\nversion = \"2\"\nowner = \"team:x\"\nproblem = \"disk_full\"\n\
                      [params]\nservice = { type = \"service\" }\n```\nLook.\n```toml step look\nkind = \"check\"\n\
                      run = [\"df\", \"{service}\"]\n```\n";
        let own = "# Own\n```toml runbook\nid = \"own\"\nversion = \"1\"\nowner = \"team:x\"\nproblem = \"disk_full\"\n\
                   include = \"common@2\"\n```\nThen.\n```toml step then\nkind = \"note\"\n```\n";
        let mut library = Library::default();
        library.add_text("own.md", own);
        assert!(library.get("own").is_none());
        assert!(library.problems()[0].text.contains("`common`"), "{:?}", library.problems());
        library.add_text("common.md", common);
        assert_eq!(library.problems(), []);
        let whole = library.get("own").unwrap();
        let names: Vec<&str> = whole.steps.iter().map(|step| step.name.as_ref()).collect();
        assert_eq!((names, whole.params.len()), (vec!["look", "then"], 1));
        let hash = &whole.content_hash;
        let mut other = Library::default();
        other.add_text("common.md", &common.replace("Look.", "Look well."));
        other.add_text("own.md", own);
        assert_ne!(&other.get("own").unwrap().content_hash, hash, "what is included is a part of what is approved");
        let mut newer = Library::default();
        newer.add_text("common.md", &common.replace("\"2\"", "\"3\""));
        newer.add_text("own.md", own);
        assert!(newer.get("own").is_none() && newer.problems()[0].text.contains("version 3"));
        let mut twice = Library::default();
        twice.add_text("common.md", common);
        twice.add_text("own.md", &own.replace("step then", "step look"));
        assert!(twice.problems()[0].text.contains("a step `look`"), "{:?}", twice.problems());
    }
}
