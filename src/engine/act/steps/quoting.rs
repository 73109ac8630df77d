//! Quotes words for a POSIX shell at the far end of a connection, where there is no way to hand over a vector.

/// The words as one line that a POSIX shell takes apart into exactly these words.
///
/// Every word stands in single quotes, within which nothing has a meaning; a single quote itself stands between two such
/// pieces. A word with a NUL has no form in any argument vector; the caller refuses it.
#[must_use]
pub fn for_posix_shell<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = words.into_iter().map(|word| format!("'{}'", word.replace('\'', r"'\''")));
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a real shell makes of the line.
    fn taken_apart(words: &[String]) -> Vec<String> {
        let line = for_posix_shell(words.iter().map(String::as_str));
        let script = format!(r#"for w in {line}; do printf '%s\0' "$w"; done"#);
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{:?}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_real_shell_takes_every_word_as_it_is() {
        let words: Vec<String> = [
            "",
            "'",
            "''",
            "\"",
            "\\",
            "\\'",
            "$(touch /tmp/x)",
            "`id`",
            "$HOME",
            "${IFS}",
            "a b",
            "-rf",
            "--",
            "*",
            "~",
            "!x",
            "#",
            "a\nb",
            "\n",
            "\t",
            ";",
            "&",
            "|",
            ">x",
            "<x",
            "(",
            "{a,b}",
            "é東",
            "\u{1}\u{7f}",
            "a=b",
            "'\\''",
            "%s",
            "\\0",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(taken_apart(&words), words);
        let long = vec!["x".repeat(100_000), "\n".repeat(1_000)];
        assert_eq!(taken_apart(&long), long);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn any_words_come_back(words in proptest::collection::vec("[^\0]{0,40}", 1..8)) {
            prop_assert_eq!(taken_apart(&words), words);
        }
    }
}
