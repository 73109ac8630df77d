//! What is answered in text: how the engine stands, that it ends, that everything is stopped, what came of a backup.

use std::path::PathBuf;
use std::sync::Arc;

use super::hello::{BACKED_UP, ENDS, STOPPED, Wants};
use super::server::{Served, Wish};
use super::standing;
use crate::engine::model::{Person, Role};
use crate::engine::request::{Reply, Request, STOPPED_UNKEPT};

/// The answer in text to what needs no frames.
pub(super) async fn answer(wants: &Wants, person: &Person, served: &Served) -> String {
    match wants {
        Wants::Status => standing::text(served),
        Wants::Stop { .. } if person.role < Role::Admin => {
            format!("stopping the engine needs the role {}; yours is {}\n", Role::Admin, person.role)
        }
        Wants::Stop { now } => {
            let wish = Wish::Stop { now: *now, by: Arc::clone(&person.name) };
            match served.wishes.try_send(wish) {
                Ok(()) => ends_when(*now, served),
                Err(_) => format!("{ENDS} already\n"),
            }
        }
        Wants::Kill { reason } => {
            let request = Request::Kill { reason: Arc::clone(reason) };
            match served.handle.send(person, request).await {
                Ok(Reply::Done { text }) => format!("{STOPPED}{text}\n"),
                Ok(Reply::Refused { reason }) if reason.starts_with(STOPPED_UNKEPT) => format!("{STOPPED}{reason}\n"),
                Ok(Reply::Refused { reason } | Reply::Lost { reason }) => format!("{reason}\n"),
                Err(_) => "the engine has ended\n".to_owned(),
            }
        }
        Wants::Backup { .. } if person.role < Role::Admin => {
            format!("a backup needs the role {}; yours is {}\n", Role::Admin, person.role)
        }
        Wants::Backup { path } if !path.starts_with('/') => {
            format!("{path} is not absolute; the engine runs elsewhere\n")
        }
        Wants::Backup { path } => match served.handle.back_up(PathBuf::from(&**path)).await {
            Ok(told) => format!("{BACKED_UP}{told}\n"),
            Err(problem) => format!("{problem}\n"),
        },
        Wants::Attach { .. } => String::new(),
    }
}

/// That it ends, and what it waits for.
fn ends_when(is_now: bool, served: &Served) -> String {
    let count = served.handle.snapshots().borrow().running_commands().len();
    match count {
        1.. if !is_now => {
            format!("{ENDS} once what runs has ended ({count} of its commands); `hypo stop --now` does not wait\n")
        }
        _ => format!("{ENDS}\n"),
    }
}
