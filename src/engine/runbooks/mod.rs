//! Hypothesis to proposal: runbooks are read from files, filled in from the incident, and offered.
//!
//! The starter library in `runbooks/` uses few commands, so that a site can see at a glance what it would allow:
//!
//! ```text
//! kubectl get|top|logs|wait|rollout status|rollout history …       look
//! kubectl exec … -- df|du|getent|wget …                            look
//! kubectl rollout undo|restart, scale, cordon, drain               act
//! kubectl set env|selector, label, annotate, patch, create job     act
//! kubectl delete networkpolicy NAME, exec … -- logrotate           act
//! psql … -c SQL         look, or pg_terminate_backend, pg_cancel_backend, pg_wal_replay_resume, pg_promote
//! df, ls, free, ps …, journalctl, systemctl show …                 look, on this machine
//! journalctl --vacuum-size=…, systemctl restart NAME               act, on this machine
//! curl, ping, pg_isready, redis-cli ping|info|config get           look; redis-cli config set maxmemory: act
//! cmctl status|renew certificate NAME                              look, act
//! ssh HOST -- pg_isready|systemctl|chronyc|debsecan|apt-get -s …   look, or systemctl restart, chronyc makestep
//! ansible-playbook patch-package.yml                               act
//! ```

pub mod bind;
pub mod draft;
mod fill;
mod include;
pub mod library;
pub mod lint;
pub mod parse;
pub mod propose;
mod technology;

pub use bind::{BindError, Binding, rebind};
pub use library::Library;
pub use parse::parse;
pub use propose::{misfits, propose};
