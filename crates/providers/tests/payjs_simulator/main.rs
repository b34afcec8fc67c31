//! The provider against the simulated PayJS over real HTTP: two implementations that share no code must agree on
//! every text that is signed, and every misbehaviour must end in the class that keeps money safe.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too a failed unwrap is a failed test")]

mod faults;
mod notifications;
mod orders;
mod rig;
mod signatures;
