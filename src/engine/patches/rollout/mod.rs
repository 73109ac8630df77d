//! Rollouts of a patch: the plan, the calendar, the judgement of health and the state machine. All of it is pure: what is known comes
//! in by [`Facts`] and `now`, what is to be done goes out as [`Order`]s.
//!
//! # Who calls what
//!
//! Once, from settings that were checked at load:
//!
//! - [`PlanRules::new`]`(&settings.patches, &settings.policy.databases)` and [`Calendar::new`]`(&settings.patches, &settings.policy.freeze)`.
//!
//! To propose a rollout:
//!
//! 1. Make a [`Need`] of the queue: the source package, its advisories and band, a [`Candidate`] for each asset with its binary packages
//!    and the versions that mend them, and what is said of the whole fleet (members of a service that are not patched count, too).
//! 2. [`planning::plan`]`(&need, &rules, now)` gives a [`Plan`]. [`Plan::lines`] is what is shown, [`Plan::digest`] is of exactly that.
//! 3. [`Rollout::new`]`(id, plan, now)`; keep it.
//!
//! From then on each of these gives the rollout as it is now and its orders:
//!
//! - [`Rollout::on_request`] for what a person asks ([`RolloutRequest`]); it may be refused, and then nothing changes.
//! - [`Rollout::replan`] when inventory or feeds changed before it began: an approval of another digest is void.
//! - [`Rollout::on_target`] when an order on a target ended, with the number that the order carried.
//! - [`Rollout::advance`] after each of these, and every ten seconds while anything is under way, else every minute.
//! - [`Rollout::after_restart`] once for each rollout that is read from disk, before anything else.
//!
//! **Keep the rollout before the orders that came with it are carried out.** An order is given once. What was under way when the
//! program ended is unknown then; it is probed ([`Order::ProbeTarget`], answered by [`TargetEnd::Found`]), never begun again by itself.
//! Each order still goes through the gate. An order that the gate refuses ends as [`TargetEnd::Failed`] with `may_have_changed: false`;
//! a refusal to take back ends as [`TargetEnd::RollBackFailed`].
//!
//! # What holds
//!
//! - Nothing begins without an approval of the plan as it is, with the kill switch on, in a freeze, outside a window or too late in it,
//!   on a target with an active incident, or while anything is unknown, undecided or being taken back.
//! - Never more than a batch is under way, and never so many that fewer of a service are known to be healthy than must be.
//! - Production begins after staging is settled, and its soak passed or a person decided. Being known to be exploited shortens
//!   nothing by itself; a person may shorten the soak.
//! - An installation that fails is taken back on its target and, past the failures that are allowed, stops the rollout. Health that
//!   fails takes the patch back everywhere, the newest first. Either opens one incident for the rollout.
//! - Windows, freezes and incidents do not keep a mistake from being taken back; the kill switch does.
//! - Health that cannot be told stops everything until a person decides. No data is never a pass.

mod advance;
mod beginning;
pub mod calendar;
mod ends;
pub mod facts;
mod fellows;
pub mod health;
mod judging;
pub mod kept;
pub mod need;
mod pattern;
pub mod plan;
pub mod planning;
pub mod rank_sum;
mod requests;
pub mod rules;
pub mod samples;
pub mod state;
mod step;
pub mod target;
pub mod undo;
pub mod unmatched;

pub use super::inventory::Reboot;
pub use calendar::{Calendar, ClockNote, FreezeState, Occasion, OccasionKind, Place, Room, WindowState};
pub use facts::{Compared, Evidence, Facts, MemberHealth, Order, Refusal, RolloutRequest, TargetEnd};
pub use health::{Comparison, HealthReport, HealthRules, HealthVerdict, MetricSamples};
pub use kept::{KeptRollout, TargetRun};
pub use plan::{Group, LeftOut, Pace, PackageChange, Plan, Stage, StageKind, Target};
pub use planning::{Candidate, Installed, Need, plan};
pub use rules::{PackageManager, PatchMethod, PlanRules};
pub use samples::{Samples, Seen};
pub use state::{PlanApproval, Rollout, RolloutEnd, RolloutState, Soak};
pub use target::{Acting, Hold, TargetRecord, TargetState};
pub use undo::{Undo, Undos};

#[cfg(test)]
mod tests;
