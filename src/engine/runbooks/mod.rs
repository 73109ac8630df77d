//! Hypothesis to proposal: runbooks are read from files, filled in from the incident, and offered.
//!
//! The starter library in `runbooks/` uses few commands, so that a site can see at a glance what it would allow:
//!
//! ```text
//! kubectl get pods|deployment|networkpolicy …          look
//! kubectl top pods …                                   look
//! kubectl rollout status|history deployment/NAME …     look
//! kubectl exec deployment/NAME … -- df|du …            look
//! kubectl rollout undo|restart deployment/NAME …       act
//! kubectl scale deployment/NAME … --current-replicas=N --replicas=M   act
//! kubectl delete networkpolicy NAME …                  act
//! kubectl exec deployment/NAME … -- logrotate …        act
//! df, ls, free, ps …, journalctl, systemctl show …     look, on this machine
//! journalctl --vacuum-size=…, systemctl restart NAME   act, on this machine
//! psql -h NAME … -c SQL                                look, or pg_terminate_backend and pg_cancel_backend
//! ```

pub mod bind;
mod fill;
pub mod library;
pub mod parse;
pub mod propose;

pub use bind::{BindError, Binding, rebind};
pub use library::Library;
pub use parse::parse;
pub use propose::{misfits, propose};
