//! The provider against the simulated WeChat Pay over real HTTP: two implementations that share no code must agree
//! on every byte that is signed, and every misbehaviour must end in the class that keeps money safe.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too a failed unwrap is a failed test")]

mod certificates;
mod faults;
mod hosts;
mod notifications;
mod orders;
mod refunds;
mod rig;
mod signatures;
