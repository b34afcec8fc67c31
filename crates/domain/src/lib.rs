//! Decides what happens to an order: names, facts, their fold, `decide`, limits and the traits of the seams.
//!
//! Nothing here does IO, reads a clock or draws randomness: time, jitter and provider answers are handed in.
//! A reader starts at [`fold`], then [`decide`].

pub mod amount;
pub mod business_date;
pub mod capabilities;
pub mod command;
pub mod confirm;
pub mod decide;
pub mod event;
pub mod explain;
pub mod fact;
pub mod fold;
pub mod followup;
pub mod http;
pub mod launch;
pub mod limits;
pub mod mask;
pub mod movement;
pub mod name;
pub mod outcome;
pub mod payment;
pub mod plant;
pub mod ports;
pub mod refund;
pub mod replay;
pub mod retention;
pub mod shard;
pub mod time;
