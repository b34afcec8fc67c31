//! The binary: arguments, logging, runtime, command, exit code; everything else stands in the library.

use clap::Parser as _;
use paymux_server::cli::{Cli, Exit};
use paymux_server::config::Faults;
use paymux_server::shutdown;

/// Half of a call's memory is freed on another thread than the one that took it; the system's allocator locks for each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ! {
    let exit = run(Cli::parse()).unwrap_or_else(|error| tell(&error));
    shutdown::leave(exit.code())
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    cli.global.init_logging()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("paymux").build()?;
    let ended = runtime.block_on(cli.run());
    // What still runs on blocking threads must not hold the exit up.
    runtime.shutdown_background();
    ended
}

/// Tells on standard error what ended the run, once.
#[expect(clippy::print_stderr, reason = "the last word of the process, whether or not anything is logged")]
fn tell(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<Faults>() {
        Some(faults) => {
            eprintln!("the configuration has faults:\n{faults}");
            Exit::BadConfig
        }
        None => {
            eprintln!("error: {error:#}");
            Exit::Failed
        }
    }
}
