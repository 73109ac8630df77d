//! One pass over a text for the literals that may begin a secret; each that is met is looked at where it stands.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::mark::{MARK_START, Span};
use super::pairs::Name;
use super::shapes::{SHAPES, Shape};
use super::{authorization, card, pairs, shapes, url};

/// What a literal may be the beginning of.
#[derive(Clone, Copy)]
enum Trigger {
    /// A token that always begins like this.
    Shape(&'static Shape),
    /// The last word of a name under which secrets stand.
    Named(Name),
    /// A scheme and an authority.
    Address,
    /// A private key.
    PrivateKey,
    /// A JSON object in base 64: a JWT's head.
    Jwt,
    /// A scheme of authorization.
    Bearer,
    /// Another one.
    Basic,
    /// The address of a Slack webhook, whose path is the secret.
    SlackWebhook,
    /// SQL that sets a password.
    IdentifiedBy,
    /// A mark that is there already.
    Mark,
}

const NAMES: [(&str, Name); 21] = [
    ("password", Name::Password),
    ("passwd", Name::Password),
    ("passphrase", Name::Password),
    ("pwd", Name::Password),
    ("requirepass", Name::Password),
    ("cvv", Name::Password),
    ("pass", Name::Pass),
    ("token", Name::Token),
    ("jwt", Name::Token),
    ("secret", Name::Secret),
    ("key", Name::Key),
    ("credential", Name::Credential),
    ("credentials", Name::Credential),
    ("sessionid", Name::Session),
    ("session_id", Name::Session),
    ("session-id", Name::Session),
    ("sessid", Name::Session),
    ("signature", Name::Signature),
    ("sig", Name::Signature),
    ("cookie", Name::Cookie),
    ("authorization", Name::Authorization),
];

const OTHERS: [(&str, Trigger); 9] = [
    ("://", Trigger::Address),
    ("-----BEGIN ", Trigger::PrivateKey),
    ("eyJ", Trigger::Jwt),
    ("bearer", Trigger::Bearer),
    ("basic ", Trigger::Basic),
    ("basic%20", Trigger::Basic),
    ("hooks.slack.com/services/", Trigger::SlackWebhook),
    ("identified by ", Trigger::IdentifiedBy),
    (MARK_START, Trigger::Mark),
];

struct Triggers {
    literals: AhoCorasick,
    meanings: Vec<Trigger>,
}

static TRIGGERS: LazyLock<Triggers> = LazyLock::new(|| {
    let shapes = SHAPES.iter().map(|shape| (shape.prefix, Trigger::Shape(shape)));
    let names = NAMES.iter().map(|(word, name)| (*word, Trigger::Named(*name)));
    let (literals, meanings): (Vec<&str>, Vec<Trigger>) = shapes.chain(names).chain(OTHERS).unzip();
    let literals = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(literals)
        // It fails for too many or too long literals only, and these are fixed and few.
        .expect("the literals are fixed and few");
    Triggers { literals, meanings }
});

/// What is in a text.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Secrets, in order and apart from one another.
    pub spans: Vec<Span>,
    /// True where marks may be there already.
    pub has_mark: bool,
}

/// Looks for secrets.
pub(super) fn find(text: &str) -> Found {
    let mut found = Found::default();
    // Hits inside a secret that was found are passed over: a text of nothing but names costs one look at each.
    let mut found_until = 0;
    let triggers = &*TRIGGERS;
    for hit in triggers.literals.find_overlapping_iter(text) {
        if hit.start() < found_until {
            continue;
        }
        let at = hit.range();
        let span = match triggers.meanings[hit.pattern().as_usize()] {
            Trigger::Shape(shape) => shapes::token(text, at, shape),
            Trigger::Named(name) => pairs::named(text, at, name),
            Trigger::Address => url::password(text, at),
            Trigger::PrivateKey => shapes::private_key(text, at),
            Trigger::Jwt => shapes::jwt(text, at),
            Trigger::Bearer => authorization::bearer(text, at),
            Trigger::Basic => authorization::basic(text, at),
            Trigger::SlackWebhook => shapes::slack_webhook(text, at),
            Trigger::IdentifiedBy => pairs::identified_by(text, at),
            Trigger::Mark => {
                found.has_mark = true;
                None
            }
        };
        if let Some(span) = span {
            found_until = span.at.end;
            found.spans.push(span);
        }
    }
    card::find(text, &mut found.spans);
    if found.spans.len() > 1 {
        keep_apart(&mut found.spans);
    }
    found
}

/// Puts spans in order; of two that overlap the first one reaches to the end of both.
fn keep_apart(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.at.start, usize::MAX - span.at.end));
    spans.dedup_by(|later, first| {
        let overlaps = later.at.start < first.at.end;
        if overlaps {
            first.at.end = first.at.end.max(later.at.end);
        }
        overlaps
    });
}
