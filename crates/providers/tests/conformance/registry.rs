//! The registration lines: providers, simulated sides from outside, and the columns of the matrix.

use std::sync::Arc;

use paymux_providers::{PROVIDERS, Registration};
use paymux_simulators::clock::SimClock;
use paymux_simulators::guest::Guest;

use crate::column::Column;
use crate::rigs::maqian::Maqian;
use crate::rigs::upaas::Upaas;
use crate::rigs::wechatpay::Wechatpay;
use crate::{rigs, sixth};

/// Providers from outside the crate.
const FURTHER: &[Registration] = &[sixth::provider::REGISTRATION];

/// A provider that must not conform.
pub(crate) const NAIVE: Registration = sixth::provider::NAIVE;

/// How a side from outside comes into a simulator.
type MakeGuest = fn(&SimClock) -> Arc<dyn Guest>;

/// Their sides, which the simulator serves beside its own.
pub(crate) const GUESTS: &[MakeGuest] = &[sixth::simulator::side];

/// The columns of the matrix.
pub(crate) static COLUMNS: [Column; 9] = [
    Column::new(&Wechatpay::Direct),
    Column::new(&Wechatpay::Partner),
    Column::new(&rigs::payjs::Cashier),
    Column::new(&rigs::xorpay::Jsapi),
    Column::new(&Upaas::Bare),
    Column::new(&Upaas::Named),
    Column::new(&Maqian::Bare),
    Column::new(&Maqian::WithApi),
    Column::new(&sixth::rig::Sixth("sixth")),
];

/// All providers that there are.
pub(crate) fn providers() -> Vec<Registration> {
    PROVIDERS.iter().chain(FURTHER).copied().collect()
}
