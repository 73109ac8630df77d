//! Which runbook there is for something: the one that is named, those that speak of what the question says, those that fit the
//! incident.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, listed_up_to};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::page_search::{Hit, PageIndex};
use crate::engine::ask::reading::Reading;
use crate::engine::ask::slots::Slots;
use crate::engine::model::{Proposal, RunbookPage};

/// How many lines are told.
const LINES_MAX: usize = 8;
/// How many pages are told that speak of a question.
const PAGES_MAX: usize = 5;
/// How many words of a question are named that a page speaks of.
const WORDS_MAX: usize = 6;

/// Where every page is to be found.
const ELSEWHERE: &str = "`hypo runbook list` names every runbook; `hypo runbook show` prints one.";

/// Which procedure there is.
pub(super) fn find(ground: &Ground<'_>, reading: &Reading) -> Answer {
    let slots = &reading.slots;
    let pages = &ground.snapshot.runbooks;
    if let Some(page) = slots.runbook.as_deref().and_then(|id| pages.iter().find(|page| page.id.as_ref() == id)) {
        return of_page(ground, slots, page);
    }
    let words = of_question(reading);
    let hits = if words.is_empty() { Vec::new() } else { PageIndex::of(pages).search(&words) };
    // Who names a service where something is wrong asks for what mends that.
    let is_of_incident = !slots.service.is_empty() && !proposals(ground, slots).is_empty();
    if !hits.is_empty() && !is_of_incident {
        return by_words(ground, slots, &hits);
    }
    // Pages that do speak of it stand below what fits the incident.
    let silent = (!words.is_empty() && hits.is_empty())
        .then(|| Claim::of("No runbook speaks of ", []).and(said(&words)).and(Claim::of(".", [])));
    let proposals = proposals(ground, slots);
    let (Some(best), Some(incident)) = (proposals.first(), ground.incident(slots)) else {
        let lead = silent.unwrap_or_else(|| Claim::of("No runbook that fits is proposed now.", []));
        return Answer::unknown(lead).with([Claim::of(ELSEWHERE, [])]).then(&["what should I do next"]);
    };
    let lead = Claim::of("For {}, {} fits best.", [Fact::incident(incident.id), named(&best.runbook.id)]);
    let claims = proposals.iter().map(|proposal| {
        let cited = || Citation::Runbook(Arc::clone(&proposal.runbook.id));
        let (title, reason) = (Fact::new(&proposal.runbook.title, cited()), Fact::new(&proposal.reason, cited()));
        Claim::of("{}: {}; it fits because {}.", [named(&proposal.runbook.id), title, reason])
    });
    let mut answer = Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals);
    let is_proposed = |hit: &&Hit<'_>| proposals.iter().any(|proposal| proposal.runbook.id == hit.page.id);
    let others = hits.iter().filter(|hit| !is_proposed(hit)).take(PAGES_MAX);
    answer.claims.extend(others.map(|hit| line(ground, slots, hit)));
    answer.missing.extend(silent);
    answer.missing.push(Claim::of(ELSEWHERE, []));
    answer
}

/// Runbooks that speak of what looks like a name and is none: `CrashLoopBackOff`.
pub(super) fn of_unknown(ground: &Ground<'_>, reading: &Reading) -> Option<Answer> {
    let name = reading.slots.unknown_name.as_ref().filter(|_| reading.intent == Intent::RunbookFind)?;
    let hits = PageIndex::of(&ground.snapshot.runbooks).search(&of_question(reading));
    let speaks = |hit: &Hit<'_>| hit.words.iter().any(|word| name.eq_ignore_ascii_case(word));
    hits.first().is_some_and(speaks).then(|| by_words(ground, &reading.slots, &hits))
}

/// Pages that speak of what a question says, a line each; nothing where none does.
pub(super) fn beside(ground: &Ground<'_>, reading: &Reading) -> Vec<Claim> {
    let words = of_question(reading);
    if words.is_empty() {
        return Vec::new();
    }
    let hits = PageIndex::of(&ground.snapshot.runbooks).search(&words);
    hits.iter().take(PAGES_MAX).map(|hit| line(ground, &reading.slots, hit)).collect()
}

/// The words of a question without the services that it names: those say where, not what.
fn of_question(reading: &Reading) -> Vec<Arc<str>> {
    let is_place = |word: &Arc<str>| {
        reading.slots.service.iter().chain(&reading.slots.host).any(|name| name.eq_ignore_ascii_case(word))
    };
    reading.words.iter().filter(|word| !is_place(word)).cloned().collect()
}

/// What fits the incident that the question is about, the best first.
fn proposals<'s>(ground: &Ground<'s>, slots: &Slots) -> &'s [Arc<Proposal>] {
    let incident = ground.incident(slots);
    incident.and_then(|incident| ground.snapshot.proposals.get(&incident.id)).map(Vec::as_slice).unwrap_or_default()
}

fn named(id: &Arc<str>) -> Fact {
    Fact::new(id, Citation::Runbook(Arc::clone(id)))
}

fn said(words: &[Arc<str>]) -> Claim {
    listed_up_to(WORDS_MAX, words.iter().map(|word| Fact::new(word, Citation::Question)).collect(), Citation::Question)
}

fn by_words(ground: &Ground<'_>, slots: &Slots, hits: &[Hit<'_>]) -> Answer {
    let Some(best) = hits.first() else { return Answer::unknown(Claim::of("No runbook speaks of that.", [])) };
    let lead = Claim::of("{} speaks of it most.", [named(&best.page.id)]);
    let lines: Vec<Claim> = hits.iter().take(PAGES_MAX).map(|hit| line(ground, slots, hit)).collect();
    let mut answer = Answer::known(lead).with(lines);
    if hits.len() > PAGES_MAX {
        answer.claims.push(Claim::of("And {} more.", [Fact::count(hits.len() - PAGES_MAX, Citation::Totals)]));
    }
    let proposed =
        proposals(ground, slots).first().filter(|best| hits.iter().all(|hit| hit.page.id != best.runbook.id));
    if let (Some(best), Some(incident)) = (proposed, ground.incident(slots)) {
        let fits = [Fact::incident(incident.id), named(&best.runbook.id)];
        answer.claims.push(Claim::of("For {}, by its evidence, {} fits best.", fits));
    }
    answer.missing.push(Claim::of(ELSEWHERE, []));
    answer
}

/// A page, which words of the question it speaks of, and whether it is proposed for the incident.
fn line(ground: &Ground<'_>, slots: &Slots, hit: &Hit<'_>) -> Claim {
    let page = hit.page;
    let title = Fact::new(&page.title, Citation::Runbook(Arc::clone(&page.id)));
    let lead = Claim::of("{}: {}; it speaks of ", [named(&page.id), title]).and(said(&hit.words));
    lead.and(match fits(ground, slots, page) {
        Some(fits) => Claim::of("; ", []).and(fits),
        None => Claim::of(".", []),
    })
}

/// That it is proposed for the incident, and why.
fn fits(ground: &Ground<'_>, slots: &Slots, page: &RunbookPage) -> Option<Claim> {
    let proposal = proposals(ground, slots).iter().find(|proposal| proposal.runbook.id == page.id)?;
    let reason = Fact::new(&proposal.reason, Citation::Runbook(Arc::clone(&page.id)));
    Some(Claim::of("it fits {} because {}.", [Fact::incident(ground.incident(slots)?.id), reason]))
}

/// What one page says of itself.
fn of_page(ground: &Ground<'_>, slots: &Slots, page: &RunbookPage) -> Answer {
    let cited = || Citation::Runbook(Arc::clone(&page.id));
    let fact = |text: &Arc<str>| Fact::new(text, cited());
    let lead = Claim::of("{}: {}.", [named(&page.id), fact(&page.title)]);
    let kept = match &page.verified {
        Some(day) => Claim::of("{} keeps it; it last went well on {}.", [fact(&page.owner), fact(day)]),
        None => Claim::of("{} keeps it; no run of it is known to have gone well.", [fact(&page.owner)]),
    };
    let fits = fits(ground, slots, page).map(|fits| Claim::of("Now ", []).and(fits));
    let for_what = (!page.problems.is_empty()).then(|| {
        let problems = page.problems.iter().map(fact).collect();
        Claim::of("It is for: ", []).and(listed_up_to(LINES_MAX, problems, cited())).and(Claim::of(".", []))
    });
    let steps = page.steps.iter().map(|title| Claim::of("Step: {}.", [fact(title)]));
    let mut answer = Answer::known(lead).with(fits).with(for_what).with([kept]).with_first(LINES_MAX, steps, cited());
    answer.missing.push(Claim::of("What each step runs is printed by `hypo runbook show`.", []));
    answer
}
