//! A patch in words: its band, when it is due, how the feeds are doing, and what holds it.

use ratatui::text::Span;

use super::canvas::Pen;
use super::context::ViewContext;
use super::rollout_text;
use super::text::{self, counted};
use super::theme::Role;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::model::{human_count, human_span};
use crate::engine::snapshot::patches::{
    Clocks, FeedLine, FeedState, Gap, Grouping, Patch, PatchGroup, PatchPicture, RiskBand, Tally, Unbooted,
};
use crate::engine::snapshot::{PatchException, Snapshot};

/// Packages that were last looked at longer ago than this are said to be old.
const LOOK_OLD_MS: i64 = 7 * DAY_MS;

/// Role, symbol and word of a band: the three always go together. `None` is unknown, which is not low.
pub fn band(band: Option<RiskBand>) -> (Role, &'static str, &'static str) {
    match band {
        Some(RiskBand::Critical) => (Role::SeverityCritical, "▲", "CRIT"),
        Some(RiskBand::High) => (Role::SeverityWarning, "△", "HIGH"),
        Some(RiskBand::Medium) => (Role::SeverityInfo, "○", "MED"),
        Some(RiskBand::Low) => (Role::TextMuted, "·", "LOW"),
        None => (Role::SeverityWarning, "?", "UNKN"),
    }
}

/// `curl → 7.88.1-11`, `curl (nothing mends it yet)`.
pub fn subject(patch: &Patch) -> String {
    match &patch.fix {
        Some(fix) => format!("{} → {fix}", patch.package),
        None => format!("{} (nothing mends it yet)", patch.package),
    }
}

/// When something is due: `✗ late 3 d 4 h`, `in 22 h 10`, `next window`; the role says whether it is too late.
pub fn due(due_at: Option<Timestamp>, band: Option<RiskBand>, now: Timestamp) -> (Role, String) {
    match due_at {
        Some(at) if at < now => (Role::TextProblem, format!("✗ late {}", text::age(now.since_ms(at)))),
        Some(at) => (Role::Text, format!("in {}", text::age(at.since_ms(now)))),
        None if band.is_none() => (Role::TextMuted, "not known".to_owned()),
        None => (Role::TextMuted, "next window".to_owned()),
    }
}

/// When the first of a group is due. A vulnerability that is not the worst of its patch goes with that.
pub fn group_due(by: Grouping, group: &PatchGroup, now: Timestamp) -> (Role, String) {
    match group.due_at {
        None if by == Grouping::Advisory && group.band.is_some() => (Role::TextMuted, "with its patch".to_owned()),
        due_at => due(due_at, group.band, now),
    }
}

/// When something is due, in a sentence: `found …, due … (OVERDUE by 3 h)`.
pub fn by_band(clocks: &Clocks, band: Option<RiskBand>, now: Timestamp) -> String {
    let found = format!("found {}", stamp(clocks.first_at));
    match clocks.due_at {
        Some(at) if at < now => format!("{found}, was due {}: OVERDUE by {}", stamp(at), human_span(whole(now, at))),
        Some(at) => format!("{found}, due {}, in {}", stamp(at), human_span(whole(at, now))),
        None if band.is_none() => format!("{found}; without a score no deadline is known"),
        None => format!("{found}, due with the next window"),
    }
}

/// The directive's term and when it ends: from the strictest to the mildest that what is known allows.
pub fn by_directive(clocks: &Clocks, now: Timestamp) -> String {
    let end = |at: Option<Timestamp>| match at {
        Some(at) if at < now => format!("{}, OVERDUE by {}", stamp(at), human_span(whole(now, at))),
        Some(at) => stamp(at),
        None => "with the next upgrade".to_owned(),
    };
    let (strictest, mildest) = clocks.terms;
    if strictest == mildest {
        return format!("{}: {}", strictest.words(), end(clocks.terms_at.0));
    }
    let (from, to) = (end(clocks.terms_at.0), end(clocks.terms_at.1));
    format!("{} to {}: {from} at the strictest, {to} at the mildest", strictest.words(), mildest.words())
}

/// Between two instants, by the minute so that an idle screen stays still.
fn whole(later: Timestamp, earlier: Timestamp) -> i64 {
    later.since_ms(earlier) / 60_000 * 60_000
}

/// `2026-11-21 14:33Z`.
pub fn stamp(at: Timestamp) -> String {
    let time = at.hh_mm_ss();
    format!("{} {}Z", at.date(), time.get(..5).unwrap_or(&time))
}

/// `3 crit  5 high  12 med`: the bands of which there is something.
pub fn tally(pen: Pen<'_>, tally: &Tally) -> Vec<Span<'static>> {
    let bands = [
        (tally.critical, Some(RiskBand::Critical)),
        (tally.high, Some(RiskBand::High)),
        (tally.medium, Some(RiskBand::Medium)),
        (tally.low, Some(RiskBand::Low)),
        (tally.unknown, None),
    ];
    let mut spans = Vec::new();
    for (count, of) in bands.into_iter().filter(|(count, _)| *count > 0) {
        let (role, symbol, word) = band(of);
        let gap = if spans.is_empty() { "" } else { "  " };
        spans.push(pen.plain(gap));
        spans.push(pen.span(role, &format!("{symbol} {count} {word}")));
    }
    spans
}

/// How every feed that was ever taken is doing, and the inventory: `KEV ✓ 2 h · NVD △ failing · Debian ✓ 2 h`.
pub fn feeds(pen: Pen<'_>, picture: &PatchPicture, now: Timestamp) -> Vec<Span<'static>> {
    let is_any = picture.feeds.iter().any(|feed| feed.state != FeedState::Missing);
    let mut spans = Vec::new();
    for feed in &picture.feeds {
        // OSV is fetched by whoever names ecosystems only; the others are missed.
        if feed.state == FeedState::Missing && (!is_any || feed.title.as_ref() == "OSV") {
            continue;
        }
        if !spans.is_empty() {
            spans.push(pen.span(Role::TextMuted, " · "));
        }
        let (role, state) = feed_state(feed, now);
        spans.push(pen.span(role, &format!("{} {state}", short(feed))));
    }
    if let Some(at) = picture.oldest_look_at.filter(|at| now.since_ms(*at) > LOOK_OLD_MS) {
        let age = text::age_short(now.since_ms(at));
        spans.push(pen.span(Role::TextProblem, &format!(" · inventory △ up to {age} old")));
    }
    spans
}

/// A feed's state in a symbol and a word or its age.
pub fn feed_state(feed: &FeedLine, now: Timestamp) -> (Role, String) {
    let age = feed.renewed_at.map_or_else(String::new, |at| text::age_short(now.since_ms(at)));
    match feed.state {
        FeedState::Fresh => (Role::TextMuted, format!("✓ {age}")),
        FeedState::Stale => (Role::TextProblem, format!("△ stale {age}")),
        FeedState::Failing => (Role::TextProblem, format!("△ fails, {age} old")),
        FeedState::Damaged => (Role::TextProblem, "✗ damaged".to_owned()),
        FeedState::Missing => (Role::TextProblem, "△ never taken".to_owned()),
    }
}

fn short(feed: &FeedLine) -> &str {
    feed.title.split(' ').next().unwrap_or_default()
}

/// What keeps a patch from being installed, or from having mended anything.
pub fn holds(ctx: &ViewContext<'_>, patch: &Patch) -> Vec<String> {
    let mut holds = Vec::new();
    if patch.fix.is_none() {
        holds.push("no version mends any of it yet".to_owned());
    } else if patch.unfixed_count > 0 {
        let count = counted(patch.unfixed_count as u64, "vulnerability", "vulnerabilities");
        holds.push(format!("of {count} of it no version mends yet; the patch mends the others"));
    }
    holds.extend(rollouts(ctx, patch));
    holds.extend(incidents(ctx.snapshot, patch));
    holds.extend(exceptions(ctx.snapshot, patch).map(ToString::to_string));
    for asset in &patch.assets {
        let unbooted = ctx.snapshot.patches.unbooted.iter().find(|unbooted| unbooted.asset == asset.name);
        if let Some(kernel) = unbooted.and_then(|unbooted| unbooted.kernel.as_ref()) {
            holds.push(format!("{} has the kernel {kernel} installed and not booted", asset.name));
        }
    }
    holds
}

/// What holds the rollouts of it that are not over: approval, window, freeze, incident, soak.
fn rollouts(ctx: &ViewContext<'_>, patch: &Patch) -> Vec<String> {
    let open = ctx
        .snapshot
        .rollouts
        .iter()
        .filter(|kept| !kept.rollout.is_over() && *kept.rollout.plan.source == *patch.package);
    let told = open.map(|kept| {
        let (_, _, word) = rollout_text::state(&kept.rollout);
        let held = rollout_text::held_by(kept, ctx.now);
        held.map_or_else(|| format!("{} is {word}", kept.rollout.id), |held| format!("{}: {held}", kept.rollout.id))
    });
    told.collect()
}

/// Live incidents on services that its assets carry.
fn incidents(snapshot: &Snapshot, patch: &Patch) -> Vec<String> {
    let live = snapshot.incidents.iter().filter(|incident| incident.state.is_live());
    let told = live.filter_map(|incident| {
        let of = |service: &&std::sync::Arc<str>| incident.services.keys().any(|name| name.as_str() == &***service);
        let service = patch.services.iter().find(of)?;
        Some(format!("{} is open on {service}, which an asset of it carries", incident.id))
    });
    told.collect()
}

/// `kernel 6.1.0-26-amd64 not booted, 3 stale processes: nginx, sshd`
pub fn unbooted(of: &Unbooted) -> String {
    let kernel = of.kernel.as_ref().map(|kernel| format!("kernel {kernel} not booted"));
    let stale = (of.stale_count > 0).then(|| {
        let count = counted(of.stale_count as u64, "stale process", "stale processes");
        let more = if of.stale_count > of.stale.len() { " …" } else { "" };
        format!("{count}: {}{more}", of.stale.join(", "))
    });
    kernel.into_iter().chain(stale).collect::<Vec<_>>().join(", ")
}

/// The assets that could not be checked for one reason: one by its name, the others counted.
pub fn assets_of(gap: &Gap) -> String {
    match gap.asset_count {
        0 | 1 => gap.example.to_string(),
        count => format!("{} and {} more", gap.example, human_count(count as u64 - 1)),
    }
}

/// Exceptions in force that concern a patch or something that it mends.
fn exceptions<'s>(snapshot: &'s Snapshot, patch: &'s Patch) -> impl Iterator<Item = &'s PatchException> {
    let all = snapshot.patch_exceptions.iter().map(AsRef::as_ref);
    all.filter(|exception| {
        let subject = exception.subject.to_string();
        exception.is_in_force(snapshot.at)
            && (*patch.package == *subject || patch.advisories.iter().any(|told| told.id.to_string() == subject))
    })
}
