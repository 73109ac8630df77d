//! Which characters this terminal can be trusted with, and what stands in for the others.

/// True where only ASCII may be written: a locale without UTF-8, or a terminal known for missing glyphs.
///
/// `LC_ALL` wins over `LC_CTYPE`, which wins over `LANG`; with none of them set the locale is `C`.
#[must_use]
pub fn is_ascii_only(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    if variable("TERM").is_some_and(|term| ["dumb", "linux", "vt52", "vt100", "vt102", "vt220"].contains(&&*term)) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    !(locale.contains("utf-8") || locale.contains("utf8"))
}

/// What stands in for a symbol where only ASCII may be written. Views choose readable ones; this is the last wall.
#[must_use]
pub fn stand_in(symbol: &str) -> &'static str {
    match symbol.chars().next() {
        Some('─' | '━' | '═' | '┄' | '┈' | '╌' | '–' | '—') => "-",
        Some('│' | '┃' | '║' | '▏' | '┆' | '┊') => "|",
        Some('\u{2500}'..='\u{257f}') => "+",
        Some('█' | '▓' | '▇') => "#",
        Some('\u{2580}'..='\u{259f}') => "=",
        Some('→' | '▶' | '›') => ">",
        Some('←' | '◀' | '‹') => "<",
        Some('•' | '●' | '◆' | '·') => "*",
        Some('…') => ".",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_and_lc_all_decides_first() {
        for (expected, environment) in [
            (false, &[("LANG", "en_GB.UTF-8")][..]),
            (false, &[("LANG", "C.utf8"), ("TERM", "xterm")]),
            (true, &[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]),
            (false, &[("LANG", "C"), ("LC_CTYPE", "de_DE.UTF-8"), ("LC_ALL", "")]),
            (true, &[("LANG", "en_GB.UTF-8"), ("TERM", "linux")]),
            (true, &[("LANG", "en_GB.ISO-8859-1")]),
            (true, &[]),
        ] {
            let found = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
            assert_eq!(is_ascii_only(&found), expected, "{environment:?}");
        }
    }

    #[test]
    fn every_stand_in_is_one_ascii_character() {
        for symbol in ["─", "┼", "█", "▁", "→", "é", "界", "\u{202e}", ""] {
            assert!(stand_in(symbol).is_ascii() && stand_in(symbol).len() == 1, "{symbol:?}");
        }
    }
}
