//! `paymux metrics`: what a process tells on `/metrics`.

use serde_json::json;

use super::{Exit, Output};
use crate::metrics::{document, families};

pub(super) fn run(output: &Output) -> anyhow::Result<Exit> {
    output.print(document().trim_end(), &json!(families()))?;
    Ok(Exit::Ok)
}
