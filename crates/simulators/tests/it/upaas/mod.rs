//! UPaaS's side: creates in each channel, the calls that no page describes, pushes, launches, the control API.

mod calls;
mod creates;
mod pushes;
mod rig;
