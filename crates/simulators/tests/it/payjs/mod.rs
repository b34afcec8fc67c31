//! PayJS's side: cashier, calls, pushes, faults, whole runs.

mod calls;
mod cashier;
mod faults;
mod pushes;
mod rig;
mod run;
