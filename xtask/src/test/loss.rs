//! The tests of the loss of members: on three brokers and three nodes of their own, which they kill and start again.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::verified::Verified;
use super::{FULL, Tally, counted, fail, on_services};
use crate::services::{ForTests, Kind};

/// The tests of this kind; the run of all others leaves them out.
pub(super) const TESTS: &str = "cluster::loss::";
/// Members of each service.
const MEMBERS: usize = 3;
/// Names to the tests the folder of the members that they may kill.
const FOLDER: &str = "PAYMUX_TEST_CLUSTER_FOLDER";
/// Names to the tests this program, which kills and starts members.
const XTASK: &str = "PAYMUX_TEST_XTASK";

/// Runs them; the services are there for as long as they run.
///
/// # Errors
/// Cargo or the keeper of the services cannot be started.
pub(super) fn run(root: &Path, verified: &mut Verified) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut services = ForTests::begin(root, &Kind::ALL.map(|kind| (kind, MEMBERS)), false)?;
    match services.ready() {
        Ok(variables) => {
            let mut tests = tests()?;
            tests.envs(variables).env(FOLDER, services.folder());
            let counts = counted(&mut tests, verified)?;
            tally.add(counts);
            if counts.passed == 0 && counts.failed == 0 {
                fail(&mut tally, "no test of the loss of members ran");
            }
        }
        Err(error) => fail(&mut tally, &format!("the services do not start: {error:#}")),
    }
    if let Err(error) = services.end() {
        fail(&mut tally, &format!("the services of the tests: {error:#}"));
    }
    Ok(tally)
}

fn tests() -> Result<Command> {
    let mut tests = on_services(TESTS);
    let own = std::env::current_exe().context("the path of this program")?;
    tests.env(FULL.0, FULL.1).env(XTASK, own);
    Ok(tests)
}
