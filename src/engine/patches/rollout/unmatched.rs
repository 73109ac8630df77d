//! Rules of the settings that are for nobody: a misspelt class leaves servers out of every plan and shuts no window, and nothing
//! else would say so.

use super::calendar::{Place, Scope};
use super::pattern::{fits, whole};
use crate::engine::settings::{PatchSettings, WindowSettings};

/// The windows, freezes and rules that fit none of these assets, each in words.
///
/// # Errors
/// When a pattern cannot be read; settings that were checked at load can.
pub fn unmatched(settings: &PatchSettings, assets: &[Place<'_>]) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    let mut occasions = |kind: &str, of: &[WindowSettings]| -> Result<(), String> {
        for one in of {
            let scope = Scope::new(one)?;
            if !assets.iter().any(|asset| scope.is_for(asset)) {
                told.push(format!("[[patches.{kind}]] `{}` is for {}, and no asset is that", one.name, scope.words));
            }
        }
        Ok(())
    };
    occasions("window", &settings.window)?;
    occasions("freeze", &settings.freeze)?;
    let mut classes = |kind: &str, pattern: &str| -> Result<(), String> {
        let class = whole(pattern)?;
        if !assets.iter().any(|asset| class.is_match(asset.class)) {
            told.push(format!("[[patches.{kind}]] is for class `{pattern}`, and no asset is of that class"));
        }
        Ok(())
    };
    settings.allow.iter().try_for_each(|allow| classes("allow", &allow.class))?;
    settings.class.iter().try_for_each(|class| classes("class", &class.class))?;
    settings.proof.iter().try_for_each(|proof| classes("proof", &proof.class))?;
    for method in &settings.method {
        let some = |pattern: &Option<String>| pattern.as_deref().map(whole).transpose();
        let (class, name) = (some(&method.class)?, some(&method.assets)?);
        let is_for = |asset: &Place<'_>| fits(class.as_ref(), asset.class) && fits(name.as_ref(), asset.asset);
        if !assets.iter().any(is_for) {
            let part = |key: &str, pattern: &Option<String>| pattern.as_ref().map(|it| format!("{key} `{it}`"));
            let parts: Vec<String> =
                part("class", &method.class).into_iter().chain(part("assets", &method.assets)).collect();
            told.push(format!("[[patches.method]] is for {}, and no asset is that", parts.join(" and ")));
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::inventory::Environment;
    use crate::engine::settings::{AllowSettings, ClassSettings, MethodSettings, PatchBy, ServerRole, Span};

    fn window(name: &str, environments: Vec<Environment>, classes: Option<&str>) -> WindowSettings {
        WindowSettings {
            name: name.into(),
            zone: "UTC".into(),
            begins: "0 2 * * SUN".into(),
            lasts: Span(3_600_000),
            environments,
            rings: Vec::new(),
            classes: classes.map(str::to_owned),
            assets: None,
        }
    }

    #[test]
    fn what_is_for_nobody_is_named_and_what_is_for_somebody_is_not() {
        let method = |class: Option<&str>, assets: Option<&str>| MethodSettings {
            assets: assets.map(str::to_owned),
            class: class.map(str::to_owned),
            by: PatchBy::Ssh,
            name: None,
            before: Vec::new(),
        };
        let settings = PatchSettings {
            window: vec![window("night", vec![Environment::Production], None), window("noon", vec![], Some("wbe"))],
            freeze: vec![window("fair", vec![Environment::Staging], None)],
            allow: ["web|db", "cache"].map(|class| AllowSettings { class: class.into(), packages: vec![] }).to_vec(),
            method: vec![method(Some("web"), Some("web-.*")), method(Some("web"), Some("db-.*")), method(None, None)],
            class: vec![ClassSettings { class: "we".into(), role: ServerRole::Replica, healthy_min: None }],
            ..PatchSettings::default()
        };
        let asset =
            Place { environment: Environment::Production, ring: "main", class: "web", asset: "web-1", services: &[] };
        assert_eq!(
            unmatched(&settings, &[asset]).unwrap(),
            [
                "[[patches.window]] `noon` is for class wbe, and no asset is that",
                "[[patches.freeze]] `fair` is for staging, and no asset is that",
                "[[patches.allow]] is for class `cache`, and no asset is of that class",
                "[[patches.class]] is for class `we`, and no asset is of that class",
                "[[patches.method]] is for class `web` and assets `db-.*`, and no asset is that",
            ]
        );
    }
}
