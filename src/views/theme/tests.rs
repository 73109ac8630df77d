//! What every shipped theme must hold, and what becomes of a user's mistakes.

use ratatui::style::{Color, Modifier};

use super::*;

/// xterm's sixteen colours.
const XTERM: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
];

/// Default foreground and background: black, white, Solarized's light one.
const DARK: ((u8, u8, u8), (u8, u8, u8)) = ((229, 229, 229), (0, 0, 0));
const LIGHT: ((u8, u8, u8), (u8, u8, u8)) = ((0, 0, 0), (255, 255, 255));
const SOLARIZED_LIGHT: ((u8, u8, u8), (u8, u8, u8)) = ((101, 123, 131), (253, 246, 227));

/// Relative luminance after WCAG 2.
fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn rgb(colour: Option<Color>, default: (u8, u8, u8)) -> (u8, u8, u8) {
    let index = match colour {
        None | Some(Color::Reset) => return default,
        Some(Color::Rgb(red, green, blue)) => return (red, green, blue),
        Some(Color::Indexed(index)) => usize::from(index),
        Some(Color::Black) => 0,
        Some(Color::Red) => 1,
        Some(Color::Green) => 2,
        Some(Color::Yellow) => 3,
        Some(Color::Blue) => 4,
        Some(Color::Magenta) => 5,
        Some(Color::Cyan) => 6,
        Some(Color::Gray) => 7,
        Some(Color::DarkGray) => 8,
        Some(Color::LightRed) => 9,
        Some(Color::LightGreen) => 10,
        Some(Color::LightYellow) => 11,
        Some(Color::LightBlue) => 12,
        Some(Color::LightMagenta) => 13,
        Some(Color::LightCyan) => 14,
        Some(Color::White) => 15,
    };
    if index < 16 {
        return XTERM[index];
    }
    if index >= 232 {
        let grey = u8::try_from(8 + 10 * (index - 232)).unwrap();
        return (grey, grey, grey);
    }
    let step = |n: usize| if n == 0 { 0 } else { u8::try_from(55 + 40 * n).unwrap() };
    let cube = index - 16;
    (step(cube / 36), step(cube / 6 % 6), step(cube % 6))
}

#[test]
fn every_shipped_theme_reads_without_a_problem() {
    for (name, _) in SHIPPED {
        assert_eq!(Theme::load(name, None).1, [], "{name}");
    }
}

#[test]
fn every_theme_file_is_shipped() {
    let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/themes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut shipped = SHIPPED.map(|(name, _)| format!("{name}.toml"));
    shipped.sort();
    assert_eq!(files, shipped);
}

#[test]
fn every_style_is_legible_on_the_backgrounds_it_is_for() {
    for (name, _) in SHIPPED {
        let grounds: &[_] = if name == "light" { &[LIGHT, SOLARIZED_LIGHT] } else { &[DARK, LIGHT, SOLARIZED_LIGHT] };
        let least = if name == "high-contrast" { 4.0 } else { 3.0 };
        let theme = Theme::shipped(name).unwrap();
        for role in Role::ALL {
            let style = theme.style(*role);
            for (foreground, background) in grounds {
                let found = contrast(rgb(style.fg, *foreground), rgb(style.bg, *background));
                assert!(found >= least, "{name}: {} has {found:.2}:1 on {background:?}", role.name());
            }
        }
    }
}

#[test]
fn mono_has_no_colour_and_still_tells_the_worst_apart() {
    let theme = Theme::shipped("mono").unwrap();
    for role in Role::ALL {
        let style = theme.style(*role);
        assert_eq!((style.fg, style.bg), (None, None), "{}", role.name());
    }
    assert_ne!(theme.style(Role::SeverityCritical), theme.style(Role::SeverityInfo));
}

#[test]
fn a_role_falls_back_to_the_broader_name() {
    let given = BTreeMap::from([("severity", Style::new().bold())]);
    assert_eq!(with_fallback("severity.critical", &given), Style::new().bold());
    assert_eq!(with_fallback("tab.active", &given), Style::default());
}

#[test]
fn a_user_overrides_role_by_role() {
    let file = "inherits = \"mono\"\n[palette]\nalarm = \"#ff0000\"\n[roles]\n\"severity.critical\" = \"alarm on black bold\"\ntab.active = \"underlined\"\n";
    let (theme, problems) = Theme::load("dark", Some(("own.toml", file)));
    assert_eq!(problems, []);
    let style = theme.style(Role::SeverityCritical);
    assert_eq!((style.fg, style.bg), (Some(Color::Rgb(255, 0, 0)), Some(Color::Black)));
    assert_eq!(theme.style(Role::TabActive).add_modifier, Modifier::UNDERLINED);
    let mono = Theme::shipped("mono").unwrap();
    assert_eq!(theme.style(Role::SeverityWarning), mono.style(Role::SeverityWarning));
}

#[test]
fn a_mistake_names_file_line_and_the_nearest_name_and_the_rest_applies() {
    for (text, line, expected) in [
        (
            "[roles]\n\"severity.critcal\" = \"red\"\ntab = \"bold\"\n",
            2,
            "`severity.critcal` is no role, or not written as one; did you mean `severity.critical`?",
        ),
        ("[roles]\n\nkey = \"rad\"\ntab = \"bold\"\n", 3, "`rad` is no colour; did you mean `red`?"),
        ("[roles]\nkey = \"red on\"\ntab = \"bold\"\n", 2, "a colour must follow `on`"),
        ("[roles]\nkey = 7\ntab = \"bold\"\n", 2, "`key` must be a style in quotes: \"red bold\""),
        ("[rules]\n[roles]\ntab = \"bold\"\n", 1, "`rules` is no key, or not written as one; did you mean `roles`?"),
        ("inherits = \"drak\"\n[roles]\ntab = \"bold\"\n", 0, "no theme is called `drak`; did you mean `dark`?"),
    ] {
        let (theme, problems) = Theme::load("dark", Some(("own.toml", text)));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].line, problems[0].text.as_ref()), (line, expected));
        assert_eq!(theme.style(Role::Tab).add_modifier, Modifier::BOLD, "{text}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_reported_with_its_line() {
    let (theme, problems) = Theme::load("dark", Some(("own.toml", "[roles]\ntab = \"bold\nkey = \"red\"\n")));
    assert!(problems.iter().any(|problem| problem.line == 2 && problem.file.as_ref() == "own.toml"), "{problems:?}");
    assert_eq!(theme.style(Role::SeverityCritical), Theme::default().style(Role::SeverityCritical));
}
