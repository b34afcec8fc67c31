//! One column of the matrix: every scenario for one provider, each in a world of its own, all at once.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::need::Need;
use crate::rig::Rig;
use crate::sale::Sale;
use crate::scenarios::{self, Scenario};
use crate::world::{Shared, World};

/// Worlds at once.
const WORLDS_MAX: usize = 12;

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The provider behaves as it should.
    Passed,
    /// It lacks these by its own word, and each was proven.
    Lacking(Vec<Need>),
    /// It does not.
    Failed(String),
}

/// The cells of a column by their rows.
pub(crate) type Cells = BTreeMap<String, Cell>;

/// A column and what came of it. It runs once, whoever asks first.
pub(crate) struct Column {
    pub(crate) rig: &'static dyn Rig,
    ran: OnceLock<Cells>,
}

impl Column {
    pub(crate) const fn new(rig: &'static dyn Rig) -> Self {
        Self { rig, ran: OnceLock::new() }
    }

    pub(crate) fn cells(&self) -> &Cells {
        self.ran.get_or_init(|| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(2).enable_all().build().unwrap().block_on(run(self.rig))
        })
    }

    /// The rows that failed, with the reasons.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.cells().iter().filter_map(|(row, cell)| match cell {
            Cell::Failed(why) => Some(format!("{row}\n    {why}")),
            Cell::Passed | Cell::Lacking(_) => None,
        });
        failed.collect()
    }
}

async fn run(rig: &'static dyn Rig) -> Cells {
    let shared = Arc::new(Shared::new());
    let room = Arc::new(Semaphore::new(WORLDS_MAX));
    let mut running = JoinSet::new();
    let mut names = BTreeMap::new();
    for scenario in scenarios::all() {
        let (shared, room) = (Arc::clone(&shared), Arc::clone(&room));
        let name = scenario.name.clone();
        let task = running.spawn(async move {
            let _permit = room.acquire().await.unwrap();
            cell(rig, &scenario, &shared).await
        });
        assert!(names.insert(task.id(), name).is_none());
    }
    let mut cells = Cells::new();
    while let Some(ended) = running.join_next_with_id().await {
        let (id, cell) = match ended {
            Ok((id, cell)) => (id, cell),
            Err(error) => (error.id(), Cell::Failed(why(error))),
        };
        assert!(cells.insert(names[&id].clone(), cell).is_none(), "two rows are called {}", names[&id]);
    }
    cells
}

/// Runs the scenario, or else the proof for each thing that the provider says it lacks.
async fn cell(rig: &'static dyn Rig, scenario: &Scenario, shared: &Shared) -> Cell {
    let world = World::start(rig, shared).await;
    let capabilities = Sale::accepted(&world).capabilities;
    let lacking: Vec<Need> =
        scenario.needs.iter().copied().filter(|need| need.is_lacking(&capabilities)).collect();
    if lacking.is_empty() {
        scenario.run.run(&world).await;
        return Cell::Passed;
    }
    for need in &lacking {
        need.is_refused(&World::start(rig, shared).await).await;
    }
    Cell::Lacking(lacking)
}

/// The words of a panic.
fn why(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "was broken off".to_owned() };
    let panic = AssertUnwindSafe(panic);
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
