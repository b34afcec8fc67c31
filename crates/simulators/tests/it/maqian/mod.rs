//! 码钱's side: cashier, server API, pushes, payers.

mod calls;
mod cashier;
mod pushes;
mod rig;
