//! `hypo rca`: the cause of an incident that lies as tables in a folder.

use std::fs;

use super::{Exit, Failure, output};
use crate::app::arguments::RcaArguments;
use crate::engine::offline::rca;

pub(super) fn run(arguments: &RcaArguments) -> Result<Exit, Failure> {
    let answered = rca::answer(&arguments.case)?;
    answered.set_aside.iter().for_each(|what| output::complain(what));
    match arguments.out.as_deref().filter(|out| out.as_os_str() != "-") {
        Some(out) => fs::write(out, answered.json.to_string())
            .map_err(|problem| format!("cannot write {}: {problem}", out.display()))?,
        None => output::json(&answered.json)?,
    }
    Ok(if answered.is_partial { Exit::Found } else { Exit::Done })
}
