//! The template of every log line of a case, by the same miner that reads the live stream.

use std::collections::BTreeMap;

use crate::engine::detect::log_templates::TemplateMiner;
use crate::engine::model::{ServiceName, TemplateId};
use crate::engine::root_cause::case::{Case, LogTemplate, Loudness, NodeId, loudness};

/// Whose voice a line is: a service's loud lines and its quiet ones have templates of their own, since which is which
/// matters more than what they share.
type Voice = (NodeId, Loudness);

/// Gives every log line of both tables its template. A line that names the place in the code it was written at is of the
/// template of that place; any other is mined.
pub(super) fn mine(case: &mut Case) {
    let mut miner = TemplateMiner::new();
    let mut names: BTreeMap<Voice, ServiceName> = BTreeMap::new();
    let mut of_place: BTreeMap<(Voice, String), u32> = BTreeMap::new();
    let Case { now, healthy, templates, .. } = case;
    let mut mined: Vec<Option<(TemplateId, Voice)>> = Vec::with_capacity(now.logs.len() + healthy.logs.len());
    for row in now.logs.iter_mut().chain(&mut healthy.logs) {
        let voice = (row.node, loudness(&row.level, &row.body));
        let place = place_in_code(&row.body);
        if place.is_empty() {
            let name = names.entry(voice).or_insert_with(|| ServiceName::new(&format!("{} {:?}", voice.0, voice.1)));
            mined.push(Some((miner.observe(name, &row.body).template, voice)));
            continue;
        }
        mined.push(None);
        row.template = match of_place.get(&(voice, place.to_owned())) {
            Some(known) => *known,
            None => {
                let number = push(templates, voice, shown(&row.body));
                of_place.insert((voice, place.to_owned()), number);
                number
            }
        };
    }
    // Templates that were taken for two may have turned out to be one since.
    let mut numbers: BTreeMap<TemplateId, u32> = BTreeMap::new();
    for (row, found) in now.logs.iter_mut().chain(&mut healthy.logs).zip(mined) {
        let Some((id, voice)) = found else { continue };
        let id = miner.resolve(id).unwrap_or(id);
        let text = || miner.get(id).map_or(String::new(), |(_, text)| text.to_string());
        row.template = *numbers.entry(id).or_insert_with(|| push(templates, voice, text()));
    }
}

fn push(templates: &mut Vec<LogTemplate>, voice: Voice, text: String) -> u32 {
    templates.push(LogTemplate { node: voice.0, text, loudness: voice.1 });
    u32::try_from(templates.len() - 1).unwrap_or(u32::MAX)
}

/// A line as the text of its place: words with digits behind the place are values.
fn shown(body: &str) -> String {
    let is_value = |(at, word): &(usize, &str)| *at > 0 && word.bytes().any(|byte| byte.is_ascii_digit());
    let words = body.split(' ').enumerate().map(|(at, word)| if is_value(&(at, word)) { "<*>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// How files of code end.
const CODE_ENDINGS: [&str; 14] =
    ["rs", "go", "py", "java", "js", "ts", "rb", "c", "cc", "cpp", "cs", "kt", "scala", "php"];

/// The place in the code that a line begins with (`Name#12`, `main.go:12`); empty where it names none. One statement
/// wrote all lines of one place, and no other.
fn place_in_code(body: &str) -> &str {
    let word = body.split([' ', '[', '(']).find(|word| !word.is_empty()).unwrap_or("");
    let word = word.trim_end_matches([':', ',', ']', ')']);
    let is_number = |line: &str| (1..=5).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = match (word.rsplit_once('#'), word.rsplit_once(':')) {
        (Some((name, line)), _) => name.starts_with(|c: char| c.is_alphabetic()) && is_number(line),
        (None, Some((file, line))) => {
            let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
            CODE_ENDINGS.contains(&ending) && is_number(line)
        }
        (None, None) => false,
    };
    if is_place { word } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::root_cause::case::LogRow;

    #[test]
    fn a_place_in_the_code_is_one_template_and_other_lines_are_mined() {
        let row = |body: String| LogRow {
            ts: 1.0,
            node: 0,
            instance: None,
            level: "INFO".to_owned(),
            trace: 0,
            span: 0,
            body,
            attrs: String::new(),
            template: 0,
        };
        let mut case = Case::default();
        case.now.logs = (0..40)
            .flat_map(|nth| {
                let city = ["york", "bath", "leeds", "hull", "derby", "ely"][nth % 6];
                [
                    row(format!("Dao#31 look for {city} {nth}")),
                    row(format!("Dao#34 found: [{city}, {nth}] in {nth} ms")),
                    row(format!("session {nth} opened for user=u{nth}")),
                ]
            })
            .collect();
        mine(&mut case);
        let used: Vec<u32> = case.now.logs.iter().take(3).map(|row| row.template).collect();
        assert_eq!(used.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        assert!(case.now.logs.chunks(3).all(|three| three.iter().map(|row| row.template).eq(used.iter().copied())));
        assert_eq!(case.templates.len(), 3, "{:?}", case.templates);
    }

    #[test]
    fn a_place_is_a_name_and_a_line_number() {
        let cases = [
            ("Dao#31 look", "Dao#31"),
            ("main.go:12: failed", "main.go:12"),
            ("ticket#7 was sold", "ticket#7"),
            ("10:31:07 ready", ""),
            ("2026-01-01T10:31:07 ready", ""),
            ("db.local:5432 is gone", ""),
            ("connect to db:5432 failed", ""),
            ("", ""),
        ];
        for (line, place) in cases {
            assert_eq!(place_in_code(line), place, "{line}");
        }
    }
}
