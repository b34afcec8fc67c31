//! Explaining an order in plain words: what happened, why it is in its state, what happens next.
//!
//! The reader is a person at three in the morning. Nothing here holds personal data: texts that came from
//! outside are shown with the payer's open_id and address and the order's `attach` masked.

mod happened;
mod next;
mod reason;
mod teller;

use crate::capabilities::Capabilities;
use crate::fact::FactKey;
use crate::fold::Order;
use crate::followup::Followup;
use crate::time::Timestamp;

pub use next::way_out;

use teller::Teller;

/// An explanation for a person at three in the morning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Each fact with its sentence, in order of time; times count from the order's creation.
    pub happened: Vec<(FactKey, String)>,
    /// Why the order is in its state.
    pub state: String,
    /// What happens next by itself, or what a person can do.
    pub next: String,
    /// When the engine looks again at the latest. `None`: it has nothing left to do by itself.
    pub next_look: Option<Timestamp>,
}

/// Explains an order. Without `capabilities` (provider or method not configured here) it says less of what
/// is next.
#[must_use]
pub fn explain(
    order: &Order,
    followup: &Followup,
    capabilities: Option<&Capabilities>,
    now: Timestamp,
) -> Explanation {
    let teller = Teller::new(order, now);
    let (next, next_look) = next::steps(&teller, followup, capabilities);
    Explanation { happened: happened::sentences(&teller), state: reason::of_state(&teller), next, next_look }
}
