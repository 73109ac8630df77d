//! Takes a runbook's page apart: prose, the fenced TOML blocks that are read, and other fenced blocks, which are shown.

use crate::engine::snapshot::FileProblem;

/// A fenced TOML block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::runbooks) struct Block<'a> {
    /// `runbook`, or `step NAME`.
    pub info: &'a str,
    /// The line of its fence, from 1; its first line of TOML is the one after.
    pub line: u32,
    /// What is between the fences.
    pub toml: &'a str,
    /// The prose between the block before and this one.
    pub prose: &'a str,
}

/// The page, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::runbooks) struct Page<'a> {
    /// First heading; empty without one.
    pub title: &'a str,
    /// In order.
    pub blocks: Vec<Block<'a>>,
    /// The prose after the last block.
    pub ending: &'a str,
}

const FENCE: &str = "```";

/// Splits the page at its TOML fences. A fence that is never closed is the only mistake there can be.
pub(in crate::engine::runbooks) fn split<'a>(file: &str, text: &'a str) -> Result<Page<'a>, FileProblem> {
    let mut page = Page { title: "", blocks: Vec::new(), ending: "" };
    let mut prose_from = 0;
    // An open fence: its info string, its line, where it began and where its content begins.
    let mut open: Option<(&str, u32, usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let start = at;
        at += line.len();
        let trimmed = line.trim();
        match open {
            None if trimmed.starts_with(FENCE) => {
                open = Some((trimmed.trim_start_matches('`').trim(), number, start, at));
            }
            None => {
                if page.title.is_empty()
                    && let Some(title) = line.strip_prefix("# ")
                {
                    page.title = title.trim();
                    prose_from = at;
                }
            }
            Some((info, fence_line, fence_at, content_at)) if trimmed == FENCE => {
                open = None;
                if let Some(info) = info.strip_prefix("toml ") {
                    let (toml, prose) = (&text[content_at..start], text[prose_from..fence_at].trim());
                    page.blocks.push(Block { info: info.trim(), line: fence_line, toml, prose });
                    prose_from = at;
                }
            }
            Some(_) => {}
        }
    }
    if let Some((info, line, ..)) = open {
        let text = format!("the block ```{info} is never closed; end it with a line of ``` alone");
        return Err(FileProblem { file: file.into(), line, text: text.into() });
    }
    page.ending = text[prose_from..].trim();
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_goes_to_the_block_after_it_and_other_blocks_are_prose() {
        let page = split(
            "f",
            "# Title\nintro\n```toml runbook\na = 1\n```\nwhy\n```sh\nls\n```\n```toml step one\nb = 2\n```\nend\n",
        )
        .unwrap();
        assert_eq!(page.title, "Title");
        assert_eq!(page.blocks.len(), 2);
        assert_eq!(page.blocks[0], Block { info: "runbook", line: 3, toml: "a = 1\n", prose: "intro" });
        assert_eq!(page.blocks[1], Block { info: "step one", line: 10, toml: "b = 2\n", prose: "why\n```sh\nls\n```" });
        assert_eq!(page.ending, "end");
    }

    #[test]
    fn an_open_fence_is_named_with_its_line() {
        let problem = split("f", "# T\n\n```toml step x\nkind = \"note\"\n").unwrap_err();
        assert_eq!(problem.line, 3);
    }
}
