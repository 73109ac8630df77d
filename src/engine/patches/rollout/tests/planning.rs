//! Plans: who is in, who is not, in which order, and what an approval is bound to.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::plan::StageKind;
use super::super::planning::{Candidate, plan};
use super::super::rules::PlanRules;
use super::world::{DATABASES, START, batch_of, candidate, need, rules, settings, small_fleet};
use crate::engine::model::DATABASE_PROOFS;
use crate::engine::patches::acts::Proof;
use crate::engine::patches::inventory::Environment;
use crate::engine::settings::{
    AllowSettings, ClassSettings, MethodSettings, PatchBy, Portion, ProofSettings, ServerRole,
};

#[test]
fn staging_is_first_then_the_rings_in_their_order_batch_by_batch() {
    let mut all = small_fleet();
    all.reverse();
    all.push(candidate("odd", Environment::Unknown, "zzz", &[]));
    let plan = plan(&need(all), &rules(batch_of(2)), START);
    let shown: Vec<_> =
        plan.stages.iter().map(|stage| (stage.name.as_str(), stage.kind, stage.batches.clone())).collect();
    let (staging, production) = (StageKind::Staging, StageKind::Production);
    assert_eq!(
        shown,
        [
            // Of two one must stay.
            ("staging", staging, vec![vec!["stage-1".to_owned()], vec!["stage-2".to_owned()]]),
            ("canary", production, vec![vec!["canary-1".to_owned(), "canary-2".to_owned()]]),
            (
                "main",
                production,
                vec![vec!["main-1".to_owned(), "main-2".to_owned()], vec!["main-3".to_owned(), "main-4".to_owned()]]
            ),
            ("zzz", production, vec![vec!["odd".to_owned()]]),
        ]
    );
    let shop: Vec<_> = plan.groups.iter().map(|group| (group.name.as_str(), group.healthy_min)).collect();
    assert_eq!(shop, [("service shop in production", 3), ("service shop in staging", 1)]);
}

#[test]
fn replicas_come_before_primaries_and_never_beside_them() {
    let of = |name: &str, class: &str| {
        let mut one = candidate(name, Environment::Production, "main", &["db"]);
        one.traits.class = class.to_owned();
        one
    };
    let all = vec![of("a", "primary"), of("b", "replica"), of("c", "replica"), of("d", "web"), of("e", "web")];
    let plan = plan(&need(all), &rules(batch_of(3)), START);
    assert_eq!(plan.stages[0].batches, [vec!["d", "e"], vec!["b", "c"], vec!["a"]]);
}

#[test]
fn who_is_left_out_is_told_why() {
    let ok = || candidate("a", Environment::Production, "main", &[]);
    let mut of = settings(batch_of(1));
    of.allow =
        vec![AllowSettings { class: "web".to_owned(), packages: vec!["libssl".to_owned(), "libssl.".to_owned()] }];
    of.method[0].assets = Some("a|db.*".to_owned());
    of.method.push(MethodSettings {
        assets: Some("b".to_owned()),
        class: None,
        by: PatchBy::Ansible,
        name: Some("patch.yml".to_owned()),
        before: Vec::new(),
    });
    of.class.push(ClassSettings {
        class: "web".to_owned(),
        role: ServerRole::Stateless,
        healthy_min: Some(Portion::Count(1)),
    });
    let of = PlanRules::new(&of, DATABASES).unwrap();
    let alone = Candidate { name: "a".to_owned(), ..candidate("a", Environment::Staging, "", &["lonely"]) };
    let mut other = candidate("a", Environment::Production, "main", &[]);
    other.packages[0].name = "libssl32".to_owned();
    let mut unfixed = ok();
    unfixed.packages[0].fixed = None;
    let mut same = ok();
    same.packages[0].fixed = Some("3.0.1".to_owned());
    for (candidate, why) in [
        (Candidate { unchecked: Some("no inventory".to_owned()), ..ok() }, "could not be checked: no inventory"),
        (Candidate { exception: Some("by ada until May".to_owned()), ..ok() }, "exception in force: by ada until May"),
        (unfixed, "there is no fix of libssl3 for it"),
        (same, "nothing of it is installed there in an older version"),
        (other, "libssl32 may not be patched on web"),
        (Candidate { name: "c".to_owned(), ..ok() }, "nothing says how packages get there"),
        (alone, "class web in staging has 1 members and 1 must stay healthy; none can be taken"),
    ] {
        let plan = plan(&need(vec![candidate]), &of, START);
        assert!(plan.targets.is_empty() && plan.stages.is_empty());
        assert!(plan.left_out[0].why.starts_with(why), "{:?}", plan.left_out);
        assert!(plan.lines().iter().any(|line| line.contains(why)), "it is shown");
    }
}

#[test]
fn what_may_hold_data_is_left_out_until_every_proof_has_a_look() {
    let mut one = candidate("db-1", Environment::Production, "main", &[]);
    one.traits.class = "db".to_owned();
    let plain = plan(&need(vec![one.clone()]), &rules(batch_of(1)), START);
    let missing = "nothing proves role, replica_lag, backup_age, no_long_transaction, drain_plan of its class";
    assert!(plain.left_out[0].why.contains(missing), "{:?}", plain.left_out);
    let look = |proves: &[&str]| ProofSettings {
        class: "db".to_owned(),
        look: vec!["db-check".to_owned()],
        expect: String::new(),
        proves: proves.iter().map(|proof| (*proof).to_owned()).collect(),
    };
    for (proofs, is_in) in [
        (vec![look(&DATABASE_PROOFS[..4])], false),
        (vec![look(&DATABASE_PROOFS[..2]), look(&DATABASE_PROOFS[2..])], true),
    ] {
        let of = crate::engine::settings::PatchSettings { proof: proofs, ..settings(batch_of(1)) };
        let plan = plan(&need(vec![one.clone()]), &PlanRules::new(&of, DATABASES).unwrap(), START);
        assert_eq!(plan.targets.len() == 1, is_in, "{:?}", plan.left_out);
    }
}

#[test]
fn members_that_are_not_patched_count() {
    let mut need = need(vec![candidate("a", Environment::Production, "main", &["shop"])]);
    let mut of = batch_of(1);
    of.healthy_min = Portion::Count(1);
    assert!(plan(&need, &rules(of.clone()), START).targets.is_empty());
    let fellow = candidate("b", Environment::Production, "main", &["shop"]);
    need.fleet.insert("b".to_owned(), fellow.traits);
    let plan = plan(&need, &rules(of), START);
    assert_eq!((plan.targets.len(), plan.groups[0].members.len(), plan.groups[0].healthy_min), (1, 2, 1));
}

fn words(words: &[&str]) -> Vec<Arc<str>> {
    words.iter().map(|word| Arc::from(*word)).collect()
}

fn proof(look: &[&str], expect: &str, proves: &[&str]) -> Proof {
    Proof { look: words(look), expect: Arc::from(expect), proves: words(proves) }
}

#[test]
fn what_comes_along_is_in_the_plan_and_its_lines() {
    let mut of = settings(batch_of(2));
    of.method[0].before = ["sudo", "-n"].map(str::to_owned).into();
    let plan = plan(&need(small_fleet()), &PlanRules::new(&of, DATABASES).unwrap(), START);
    let target = &plan.targets["main-1"];
    assert_eq!((target.may_come_along.as_str(), target.before.as_slice()), ("(?:lib.*)", &*words(&["sudo", "-n"])));
    let all = "canary-1, canary-2, main-1, main-2, main-3, main-4, stage-1, stage-2";
    let terms = [
        format!("installed by: sudo -n … on {all}"),
        format!("may come along, and stays when this is taken back: packages named (?:lib.*) on {all}"),
    ];
    let lines = plan.lines();
    assert!(lines.windows(2).any(|two| two == terms), "{lines:?}");
}

#[test]
fn an_asset_in_two_versions_is_one_with_the_packages_of_both() {
    let one = |architecture: &str, version: &str, exception: Option<&str>| {
        let mut one = candidate("a", Environment::Production, "main", &[]);
        one.packages[0].architecture = architecture.to_owned();
        one.packages[0].version = version.to_owned();
        one.exception = exception.map(str::to_owned);
        one
    };
    let moved = |of: &[Candidate]| -> Result<Vec<String>, String> {
        let plan = plan(&need(of.to_vec()), &rules(batch_of(1)), START);
        let Some(target) = plan.targets.get("a") else { return Err(plan.left_out[0].why.clone()) };
        Ok(target.packages.iter().map(|it| format!("{} {}", it.architecture, it.from)).collect())
    };
    let (new, old) = (one("amd64", "3.0.1", None), one("i386", "3.0.0", None));
    let excused = one("i386", "3.0.0", Some("by ada"));
    let twice = one("amd64", "3.0.0", None);
    for (of, found) in [
        ([new.clone(), old], Ok(vec!["amd64 3.0.1".to_owned(), "i386 3.0.0".to_owned()])),
        ([new.clone(), excused.clone()], Ok(vec!["amd64 3.0.1".to_owned()])),
        ([excused.clone(), one("amd64", "3.0.1", Some("by bob"))], Err("exception in force: by ada".to_owned())),
        (
            [new, twice],
            Err("libssl3 is there in several versions, and which is to be replaced cannot be told".to_owned()),
        ),
    ] {
        let [first, second] = of.clone();
        assert_eq!(moved(&of), found);
        assert_eq!(moved(&[second, first]), found, "in whatever order");
    }
}

#[test]
fn on_this_machine_only_this_machine_is_patched() {
    let mut of = settings(batch_of(2));
    of.method[0].by = PatchBy::Local;
    let mut here = candidate("console", Environment::Production, "main", &[]);
    here.traits.is_here = true;
    let all = vec![here, candidate("web-1", Environment::Production, "main", &[])];
    let plan = plan(&need(all), &PlanRules::new(&of, DATABASES).unwrap(), START);
    assert_eq!(plan.targets.keys().collect::<Vec<_>>(), ["console"]);
    assert_eq!(plan.left_out[0].name, "web-1");
    assert!(plan.left_out[0].why.contains("is not known to be this machine"), "{:?}", plan.left_out);
}

#[test]
fn a_kernel_that_is_put_beside_the_old_one_is_left_out() {
    for (distribution, package, is_in) in [
        ("rocky", "libkernel", true),
        ("rocky", "kernel", false),
        ("rocky", "kernel-core", false),
        ("rocky", "kernel-modules-extra", false),
        ("rocky", "kernel-rt-core", false),
        ("rocky", "kernel-tools-libs", true),
        ("rocky", "kernel-headers", true),
        ("debian", "kernel-core", true),
        ("debian", "linux-libc-dev", true),
        ("debian", "linux-image-amd64", true),
        ("debian", "linux-image-6.1.0-21-amd64", false),
        ("ubuntu", "linux-modules-extra-5.15.0-100-generic", false),
    ] {
        let mut of = settings(batch_of(1));
        of.allow[0].packages = vec![".*".to_owned()];
        let mut one = candidate("a", Environment::Production, "main", &[]);
        (one.distribution, one.packages[0].name) = (distribution.to_owned(), package.to_owned());
        let plan = plan(&need(vec![one]), &PlanRules::new(&of, DATABASES).unwrap(), START);
        assert_eq!(plan.targets.len() == 1, is_in, "{package}: {:?}", plan.left_out);
        assert!(is_in || plan.left_out[0].why.contains("used after a reboot"), "{:?}", plan.left_out);
    }
}

#[test]
fn an_approval_is_bound_to_everything_that_is_shown() {
    let base = plan(&need(small_fleet()), &rules(batch_of(2)), START);
    assert_eq!(base.digest, base.computed_digest());
    assert_eq!(plan(&need(small_fleet()), &rules(batch_of(2)), START + 5).digest, base.digest, "when is no part of it");
    let mut others = Vec::new();
    let mut change = |change: &dyn Fn(&mut super::super::plan::Plan)| {
        let mut other = base.clone();
        change(&mut other);
        others.push(other.computed_digest());
    };
    change(&|plan| plan.source.push('x'));
    change(&|plan| plan.fix_version = None);
    change(&|plan| drop(plan.advisories.pop()));
    change(&|plan| plan.band = None);
    change(&|plan| plan.is_known_exploited = false);
    change(&|plan| plan.stages[0].batch_max += 1);
    change(&|plan| plan.stages.swap(0, 1));
    change(&|plan| plan.stages[2].batches.reverse());
    change(&|plan| plan.groups[0].healthy_min = 0);
    change(&|plan| drop(plan.groups[0].members.pop()));
    change(&|plan| plan.pace.soak_ms = 0);
    change(&|plan| plan.pace.validate_ms += 60_000);
    change(&|plan| plan.pace.failures += 1);
    change(&|plan| plan.pace.takes_ms += 60_000);
    change(&|plan| plan.pace.lost_after_ms += 3_600_000);
    change(&|plan| plan.pace.watch_ms += 1_000);
    change(&|plan| plan.pace.health.samples_min += 1);
    change(&|plan| plan.pace.health.effect_percent += 1);
    change(&|plan| plan.pace.health.significance_permille += 1);
    change(&|plan| {
        plan.left_out.push(super::super::plan::LeftOut { name: "z".to_owned(), why: "y".to_owned() });
    });
    type Touch = fn(&mut super::super::plan::Target);
    let touches: [Touch; 15] = [
        |target| target.packages[0].to.push('1'),
        |target| target.packages[0].from.push('1'),
        |target| target.packages[0].name.push('1'),
        |target| target.method = super::super::rules::PatchMethod::Local,
        |target| target.environment = Environment::Development,
        |target| target.role = ServerRole::Primary,
        |target| target.units.push("nginx.service".to_owned()),
        |target| target.services.push("pay".to_owned()),
        |target| target.owner.push('x'),
        |target| target.before = words(&["sudo", "-n"]),
        |target| target.before = words(&["sudo -n"]),
        |target| target.may_come_along.push_str("|.*"),
        |target| target.proofs.push(proof(&["check"], "", &[])),
        |target| target.proofs.push(proof(&["check"], "^ok", &[])),
        |target| target.proofs.push(proof(&["check"], "^ok", &["role"])),
    ];
    for touch in touches {
        change(&|plan| touch(plan.targets.get_mut("main-1").unwrap()));
    }
    others.push(base.digest.clone());
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count, "two plans that differ have the same digest");
}

/// A fleet at random: environments, rings, classes and services.
pub(super) fn fleets() -> impl Strategy<Value = Vec<Candidate>> {
    let one = (0u8..4, 0usize..3, 0usize..3, 0usize..4);
    prop::collection::vec(one, 1..14).prop_map(|all| {
        let of = |(number, (environment, ring, class, service)): (usize, (u8, usize, usize, usize))| {
            let environment = match environment {
                0 => Environment::Staging,
                1 => Environment::Unknown,
                _ => Environment::Production,
            };
            let services: &[&str] = [&[][..], &["shop"], &["pay"], &["shop", "pay"]][service];
            let mut one = candidate(&format!("h{number:02}"), environment, ["", "canary", "main"][ring], services);
            one.traits.class = ["web", "replica", "primary"][class].to_owned();
            one
        };
        all.into_iter().enumerate().map(of).collect()
    })
}

proptest! {
    /// Everybody is in exactly one batch or left out, no batch takes too many of a group, and roles keep their order.
    #[test]
    fn plans_keep_their_limits(fleet in fleets(), batch in 1u32..5, least in 0u32..3) {
        let mut of = batch_of(batch);
        of.healthy_min = if least == 0 { Portion::Percent(50) } else { Portion::Count(least) };
        let count = fleet.len();
        let plan = plan(&need(fleet), &rules(of), START);
        let order: Vec<_> = plan.order().map(|target| target.name.clone()).collect();
        prop_assert_eq!(order.len() + plan.left_out.len(), count);
        prop_assert_eq!(order.len(), plan.targets.len());
        for stage in &plan.stages {
            let mut last = ServerRole::Stateless;
            for names in &stage.batches {
                prop_assert!(!names.is_empty() && names.len() <= usize::try_from(stage.batch_max).unwrap());
                let roles: Vec<_> = names.iter().map(|name| plan.targets[name].role).collect();
                prop_assert!(roles.iter().all(|role| *role == roles[0]) && roles[0] >= last);
                last = roles[0];
                for group in &plan.groups {
                    let taken = names.iter().filter(|name| group.members.contains(name)).count();
                    let left = group.members.len() - taken;
                    prop_assert!(taken == 0 || left >= usize::try_from(group.healthy_min).unwrap());
                }
            }
        }
    }
}
