//! All that is known of one patch, or of one group of patches: the score taken apart into its factors, both clocks, what holds
//! it, who lacks it, and the proofs.

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::context::ViewContext;
use super::evidence::paragraph;
use super::patch_text;
use super::text::counted;
use super::theme::Role;
use super::ui_state::RowKey;
use crate::engine::snapshot::patches::{AdvisoryTold, Grouping, LackingAsset, Patch, PatchGroup};
use crate::engine::snapshot::{PatchException, Snapshot};

/// Columns of the labels.
const LABEL_WIDTH: usize = 12;

/// The title of the box.
pub fn title(row: &RowKey) -> String {
    match row {
        RowKey::PatchGroup(by, name) if name.is_empty() => format!("Patches of no {}", by.word()),
        RowKey::PatchGroup(by, name) => format!("Patches of {} {name}", by.word()),
        RowKey::PatchException(number) => format!("Exception EXC-{number}"),
        RowKey::PatchGap(_) => "Could not be checked".to_owned(),
        RowKey::Unbooted(_) => "Runs something older than what is installed".to_owned(),
        _ => "Patch".to_owned(),
    }
}

/// Every line; `None` where the row is no longer in the picture.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &RowKey, width: usize) -> Option<Vec<Line<'static>>> {
    match row {
        RowKey::Patch(key) => Some(of_patch(pen, ctx, ctx.snapshot.patches.patch(key)?, width)),
        RowKey::PatchGroup(by, name) => Some(of_group(pen, ctx, *by, group(ctx.snapshot, *by, name)?, width)),
        RowKey::PatchGap(why) => {
            let gap = ctx.snapshot.patches.gaps.iter().find(|gap| gap.why == *why)?;
            let then = "affected and not affected are both possible there; `hypo advisories feeds` says what is taken";
            let facts = [("Where", patch_text::assets_of(gap)), ("Why", why.to_string()), ("Then", then.to_owned())];
            Some(facts.into_iter().flat_map(|(label, text)| labelled(pen, label, &text, width)).collect())
        }
        RowKey::PatchException(number) => {
            let exception = ctx.snapshot.patch_exceptions.iter().find(|exception| exception.number == *number)?;
            Some(of_exception(pen, ctx, exception, width))
        }
        RowKey::Unbooted(asset) => {
            let unbooted = ctx.snapshot.patches.unbooted.iter().find(|unbooted| unbooted.asset == *asset)?;
            let then = format!(
                "what newer versions mend is not mended there until it is booted and those processes have begun anew; \
                 `hypo inventory show {asset}` lists them with their files"
            );
            let facts = [("Asset", asset.to_string()), ("Runs", patch_text::unbooted(unbooted)), ("Then", then)];
            Some(facts.into_iter().flat_map(|(label, text)| labelled(pen, label, &text, width)).collect())
        }
        _ => None,
    }
}

/// The group of this name.
fn group<'s>(snapshot: &'s Snapshot, by: Grouping, name: &str) -> Option<&'s PatchGroup> {
    snapshot.patches.grouped(by)?.rows.iter().find(|group| *group.name == *name)
}

fn of_patch(pen: Pen<'_>, ctx: &ViewContext<'_>, patch: &Patch, width: usize) -> Vec<Line<'static>> {
    let left = vec![
        pen.badge(patch_text::band(patch.band)),
        pen.span(Role::TextStrong, &format!("  {}", patch_text::subject(patch))),
    ];
    let mut lines = vec![pen.spread(left, vec![pen.span(Role::TextMuted, &patch.place)], width)];
    if patch.is_known_exploited {
        let ransomware = if patch.is_ransomware { ", also by ransomware" } else { "" };
        lines.push(Line::from(pen.span(Role::TextProblem, &format!("✗ known to be exploited{ransomware}"))));
    }
    if let Some(incident) = patch.incident {
        let told = format!("▲ {incident} is about what it mends, so it goes before the others");
        lines.push(Line::from(pen.span(Role::TextProblem, &told)));
    }
    lines.push(Line::default());
    lines.extend(score(pen, ctx, patch, width));
    lines.push(Line::default());
    let by_band = patch_text::by_band(&patch.clocks, patch.band, ctx.now);
    lines.extend(labelled(pen, "By band", &by_band, width));
    lines.extend(labelled(pen, "BOD 26-04", &patch_text::by_directive(&patch.clocks, ctx.now), width));
    let holds = patch_text::holds(ctx, patch);
    if holds.is_empty() {
        lines.extend(labelled(pen, "Held by", "nothing that is known here", width));
    }
    for (index, hold) in holds.iter().enumerate() {
        lines.extend(labelled(pen, if index == 0 { "Held by" } else { "" }, hold, width));
    }
    lines.push(Line::default());
    lines.push(heading(pen, "Lacking on", patch.tally.all(), patch.assets.len()));
    lines.extend(patch.assets.iter().map(|asset| asset_line(pen, ctx, asset, width)));
    lines.push(Line::default());
    lines.push(heading(pen, "Affected by", patch.advisory_count, patch.advisories.len()));
    for advisory in &patch.advisories {
        lines.extend(advisory_lines(pen, advisory, width));
    }
    if patch.unchecked_count > 0 {
        let count = counted(patch.unchecked_count as u64, "vulnerability", "vulnerabilities");
        lines.extend(paragraph(pen, Role::TextMuted, "  ", &format!("and {count} of which nobody can say"), width));
    }
    lines
}

/// `Affected by  34, the worst 12 are listed`
fn heading(pen: Pen<'_>, what: &str, count: usize, listed: usize) -> Line<'static> {
    let cut = if listed < count { format!(", the worst {listed} are listed") } else { String::new() };
    Line::from(vec![pen.span(Role::PaneHeading, what), pen.span(Role::TextMuted, &format!("  {count}{cut}"))])
}

fn labelled(pen: Pen<'_>, label: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    let role = if content.contains("OVERDUE") { Role::TextProblem } else { Role::Text };
    paragraph(pen, role, &format!("{label:<LABEL_WIDTH$}"), content, width)
}

/// The factors one under the other, each with whose word it is.
fn score(pen: Pen<'_>, ctx: &ViewContext<'_>, patch: &Patch, width: usize) -> Vec<Line<'static>> {
    let Some(score) = patch.score else {
        let text = "unknown: no feed gives one, nor a word for how bad it is; it is not taken for 0";
        return labelled(pen, "Score", text, width);
    };
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (index, factor) in patch.factors.iter().enumerate() {
        let (label, sign) = if index == 0 { ("Score", " ") } else { ("", "×") };
        lines.push(Line::from(vec![
            pen.cell(Role::TextMuted, label, LABEL_WIDTH),
            pen.plain(&format!("{sign} {:.2} ", factor.value)),
            pen.cell(Role::Text, &factor.name, 16),
            pen.span(Role::TextMuted, &format!(" {}", factor.source)),
        ]));
    }
    let (role, _, _) = patch_text::band(patch.band);
    let word = patch.band.map_or("", crate::engine::snapshot::patches::RiskBand::word);
    lines.push(Line::from(vec![
        pen.cell(Role::TextMuted, "", LABEL_WIDTH),
        pen.span(Role::TextStrong, &format!("= {score:.4} ")),
        pen.span(role, word),
    ]));
    if !ctx.snapshot.patches.is_kev_known {
        let text = "CISA's catalogue was never taken, so nothing counts as exploited: `hypo advisories sync`";
        lines.extend(labelled(pen, "", text, width));
    }
    let epss = patch.epss.map_or_else(|| "unknown".to_owned(), |epss| percent(epss) + " within 30 days, by FIRST");
    lines.extend(labelled(pen, "EPSS", &epss, width));
    lines
}

fn percent(share: f32) -> String {
    format!("{:.1} %", share * 100.0)
}

fn asset_line(pen: Pen<'_>, ctx: &ViewContext<'_>, asset: &LackingAsset, width: usize) -> Line<'static> {
    let (role, symbol, _) = patch_text::band(asset.band);
    let traits = [asset.environment.word(), asset.exposure.word(), &asset.ring, &asset.owner];
    let traits: Vec<&str> = traits.into_iter().filter(|word| !word.is_empty() && *word != "unknown").collect();
    let left = vec![
        pen.span(role, &format!("  {symbol} ")),
        pen.span(Role::TextStrong, &asset.name),
        pen.plain(&format!("  {}", asset.installed)),
        pen.span(Role::TextMuted, &format!("  {}", traits.join(", "))),
    ];
    let (role, due) = patch_text::due(asset.clocks.due_at, asset.band, ctx.now);
    pen.spread(left, vec![pen.span(role, &due)], width)
}

fn advisory_lines(pen: Pen<'_>, advisory: &AdvisoryTold, width: usize) -> Vec<Line<'static>> {
    let cvss = advisory
        .cvss_tenths
        .map_or_else(|| "CVSS unknown".to_owned(), |tenths| format!("CVSS {}.{}", tenths / 10, tenths % 10));
    let epss = advisory.epss.map_or_else(String::new, |epss| format!("  EPSS {}", percent(epss)));
    let kev = if advisory.is_known_exploited { "  KEV" } else { "" };
    let left = vec![
        pen.span(Role::TextStrong, &format!("  {}", advisory.id)),
        pen.plain(&format!("  {cvss}{epss}")),
        pen.span(Role::TextProblem, kev),
    ];
    let mut lines =
        vec![pen.spread(left, vec![pen.span(Role::TextMuted, &format!("mended: {}", advisory.fix))], width)];
    lines.extend(paragraph(pen, Role::TextMuted, "    ", &advisory.proof, width));
    lines
}

fn of_exception(pen: Pen<'_>, ctx: &ViewContext<'_>, exception: &PatchException, width: usize) -> Vec<Line<'static>> {
    let held = ctx.snapshot.patches.excepted.get(&exception.number).copied().unwrap_or_default();
    let held = counted(held as u64, "patch on an asset", "patches on assets");
    let ends = match &exception.withdrawn {
        Some(withdrawn) => {
            format!("withdrawn {} by {}: {}", patch_text::stamp(withdrawn.at), withdrawn.by, withdrawn.reason)
        }
        None if exception.until <= ctx.now => format!("ended {}", patch_text::stamp(exception.until)),
        None => format!("{}; then it is back with the deadline it had", patch_text::stamp(exception.until)),
    };
    let facts = [
        ("What", format!("{} {} is {}", exception.subject, exception.reach, exception.kind.word())),
        ("Ends", ends),
        ("Owner", exception.owner.to_string()),
        ("Reason", exception.reason.to_string()),
        ("Made", format!("{} by {}", patch_text::stamp(exception.made_at), exception.made_by)),
        ("Takes out", held),
    ];
    facts.into_iter().flat_map(|(label, text)| labelled(pen, label, &text, width)).collect()
}

fn of_group(pen: Pen<'_>, ctx: &ViewContext<'_>, by: Grouping, group: &PatchGroup, width: usize) -> Vec<Line<'static>> {
    let name = if group.name.is_empty() { "nobody said" } else { &group.name };
    let left = vec![pen.badge(patch_text::band(group.band)), pen.span(Role::TextStrong, &format!("  {name}"))];
    let mut lines = vec![pen.spread(left, vec![pen.span(Role::TextMuted, &group.note)], width)];
    if group.is_known_exploited {
        let text = if by == Grouping::Advisory {
            "✗ known to be exploited"
        } else {
            "✗ some of it is known to be exploited"
        };
        lines.push(Line::from(pen.span(Role::TextProblem, text)));
    }
    lines.push(Line::default());
    let assets = counted(group.asset_count as u64, "asset", "assets");
    let patches = counted(group.patch_count as u64, "patch", "patches");
    lines.extend(labelled(pen, "Lacking", &format!("{patches} on {assets}"), width));
    let mut bands: Vec<Span<'static>> = vec![pen.cell(Role::TextMuted, "By band", LABEL_WIDTH)];
    bands.extend(patch_text::tally(pen, &group.tally));
    lines.push(Line::from(bands));
    let (role, due) = patch_text::group_due(by, group, ctx.now);
    let late = if group.tally.overdue > 0 { format!(", {} overdue", group.tally.overdue) } else { String::new() };
    lines.extend(paragraph(pen, role, &format!("{:<LABEL_WIDTH$}", "First due"), &format!("{due}{late}"), width));
    lines.push(Line::default());
    lines.push(heading(pen, "Patches", group.patch_count, group.patches.len()));
    for patch in group.patches.iter().filter_map(|key| ctx.snapshot.patches.patch(key)) {
        let (role, symbol, word) = patch_text::band(patch.band);
        let left = vec![
            pen.cell(role, &format!("  {symbol} {word}"), 9),
            pen.span(Role::TextStrong, &patch_text::subject(patch)),
            pen.span(Role::TextProblem, if patch.is_known_exploited { "  KEV" } else { "" }),
        ];
        let (role, due) = patch_text::due(patch.clocks.due_at, patch.band, ctx.now);
        lines.push(pen.spread(left, vec![pen.span(role, &due)], width));
    }
    lines
}
