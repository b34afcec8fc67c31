//! The simulator seen from outside: a merchant's own minimal client against a running simulator on port 0.

#![expect(clippy::unwrap_used, reason = "in helpers of tests too a failed unwrap is a failed test")]

mod auth;
mod certificates;
mod client;
mod control;
mod create;
mod faults;
mod inbox;
mod lifecycle;
mod maqian;
mod notify;
mod payjs;
mod refund;
mod refund_faults;
mod refund_notify;
mod rig;
mod run;
mod upaas;
mod xorpay;
