//! The scenarios: the same for every provider, each in a world of its own.

mod answers;
mod close;
mod create;
mod notification;
mod query;
mod refund;
mod refund_notification;

use paymux_domain::ports::BoxFuture;

use crate::need::Need;
use crate::world::World;

/// One row of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// `operation: what happens`.
    pub(crate) name: String,
    /// Without any of these the row is lacking.
    pub(crate) needs: Vec<Need>,
    pub(crate) run: Run,
}

/// How a scenario is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// By a function of its own.
    Alone(for<'w> fn(&'w World) -> BoxFuture<'w, ()>),
    /// An operation whose answer is spoilt.
    Spoilt(answers::Step, crate::proxy::Manner),
}

impl Run {
    pub(crate) async fn run(self, world: &World) {
        match self {
            Self::Alone(run) => run(world).await,
            Self::Spoilt(step, manner) => answers::spoilt(world, step, manner).await,
        }
    }
}

/// A row by its name, its needs and its function.
type Row = (&'static str, &'static [Need], for<'w> fn(&'w World) -> BoxFuture<'w, ()>);

/// All rows, in the order of the printed matrix.
pub(crate) fn all() -> Vec<Scenario> {
    let of = |operation: &'static str, rows: &'static [Row], step: Option<answers::Step>| {
        let own = rows.iter().map(move |(name, needs, run)| Scenario {
            name: format!("{operation}: {name}"),
            needs: needs.to_vec(),
            run: Run::Alone(*run),
        });
        own.chain(step.into_iter().flat_map(answers::rows))
    };
    of("create", create::ROWS, Some(answers::Step::Create))
        .chain(of("query", query::ROWS, Some(answers::Step::Query)))
        .chain(of("close", close::ROWS, Some(answers::Step::Close)))
        .chain(of("refund", refund::ROWS, Some(answers::Step::Refund)))
        .chain(of("notification", notification::ROWS, None))
        .chain(of("refund notification", refund_notification::ROWS, None))
        .collect()
}
