//! Puts the steps of other pages before those of one that includes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::digest::sha256_hex;
use crate::engine::model::{Runbook, StepSpec};

/// The page with everything it includes: steps and parameters of the others first, in the order they are named. Its hash
/// is over theirs, so that an approval is for what is in fact done.
///
/// # Errors
/// A page that is not there, is there in another version, or includes pages itself; a step or parameter there are two of;
/// more acts than the page may take.
pub(super) fn whole(page: &Runbook, pages: &BTreeMap<Arc<str>, Arc<Runbook>>) -> Result<Runbook, String> {
    let mut whole = Runbook { steps: Vec::new(), ..page.clone() };
    let mut hashes = vec![Arc::clone(&page.content_hash)];
    for include in &page.includes {
        let id = &include.id;
        let Some(part) = pages.get(id) else {
            return Err(format!("it includes `{id}`, and there is no such page; add it, or take `include` away"));
        };
        if part.version != include.version {
            let have = &part.version;
            return Err(format!(
                "it includes `{id}` in version {}, and version {have} is there; read that and write \"{id}@{have}\"",
                include.version
            ));
        }
        if !part.includes.is_empty() {
            return Err(format!("it includes `{id}`, which includes pages itself; name those pages here instead"));
        }
        for (name, spec) in &part.params {
            if whole.params.insert(Arc::clone(name), spec.clone()).is_some_and(|own| own != *spec) {
                return Err(format!("parameter `{name}` is another one in `{id}`; rename one of them"));
            }
        }
        take(&mut whole.steps, &part.steps, id)?;
        hashes.push(Arc::clone(&part.content_hash));
    }
    take(&mut whole.steps, &page.steps, &page.id)?;
    let act_count = whole.steps.iter().filter(|step| step.act().is_some()).count();
    if act_count > usize::from(page.acts_max) {
        return Err(format!("{act_count} acts with what it includes, and max_actions = {}; raise it", page.acts_max));
    }
    whole.content_hash = sha256_hex(hashes.iter().map(AsRef::as_ref)).into();
    Ok(whole)
}

fn take(steps: &mut Vec<StepSpec>, part: &[StepSpec], id: &str) -> Result<(), String> {
    for step in part {
        if steps.iter().any(|own| own.name == step.name) {
            return Err(format!(
                "`{id}` brings a step `{}` of which there is one already; rename one of them",
                step.name
            ));
        }
        steps.push(step.clone());
    }
    Ok(())
}
