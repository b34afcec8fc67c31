//! XorPay's side: creates, calls, pushes, faults, payers.

mod calls;
mod creates;
mod faults;
mod pushes;
mod rig;
