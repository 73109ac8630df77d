//! Which assets a window or freeze is for.

use regex::Regex;

use super::super::pattern::{fits, whole};
use super::Place;
use crate::engine::patches::inventory::Environment;
use crate::engine::settings::WindowSettings;

/// Which assets a rule is for; all that it names must fit.
#[derive(Debug, Clone)]
pub(in crate::engine::patches::rollout) struct Scope {
    environments: Vec<Environment>,
    rings: Vec<String>,
    classes: Option<Regex>,
    assets: Option<Regex>,
    /// In words, as it is written in the settings.
    pub(in crate::engine::patches::rollout) words: String,
}

impl Scope {
    pub(in crate::engine::patches::rollout) fn new(settings: &WindowSettings) -> Result<Self, String> {
        let pattern = |text: &Option<String>| text.as_deref().map(whole).transpose();
        Ok(Self {
            environments: settings.environments.clone(),
            rings: settings.rings.clone(),
            classes: pattern(&settings.classes)?,
            assets: pattern(&settings.assets)?,
            words: words(settings),
        })
    }

    pub(in crate::engine::patches::rollout) fn is_for(&self, place: &Place<'_>) -> bool {
        (self.environments.is_empty() || self.environments.contains(&place.environment))
            && (self.rings.is_empty() || self.rings.iter().any(|ring| ring == place.ring))
            && fits(self.classes.as_ref(), place.class)
            && fits(self.assets.as_ref(), place.asset)
    }
}

/// `production, ring canary`; `every asset` where nothing is named.
fn words(settings: &WindowSettings) -> String {
    let environments: Vec<&str> = settings.environments.iter().map(|environment| environment.word()).collect();
    let mut parts = Vec::new();
    if !environments.is_empty() {
        parts.push(environments.join(" or "));
    }
    if !settings.rings.is_empty() {
        parts.push(format!("ring {}", settings.rings.join(" or ")));
    }
    parts.extend(settings.classes.iter().map(|classes| format!("class {classes}")));
    parts.extend(settings.assets.iter().map(|assets| format!("assets {assets}")));
    if parts.is_empty() { "every asset".to_owned() } else { parts.join(", ") }
}
