//! The real binary from outside: gRPC, HTTP, signals, kills, a failing disk, bad input, the demo, roles
//! on a cluster.

mod access;
mod bad_input;
mod calls;
mod cluster;
mod command_line;
mod dead;
mod demo;
mod disk;
mod due_audit;
mod finance;
mod kills;
mod limits;
mod lists;
mod load;
mod load_command;
mod merchants;
mod metrics;
mod notifications;
mod operators;
mod refunds;
mod retention;
mod rig;
mod secrets;
mod secure;
mod shards;
mod shutdown;
mod slices;
mod tls;
mod workbench;
