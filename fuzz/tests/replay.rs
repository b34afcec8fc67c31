//! Every seed of every corpus through its target: what once broke a promise must not break it again.

use std::path::{Path, PathBuf};

use paymux_fuzz::TARGETS;
use paymux_providers::PROVIDERS;

struct Seed {
    target: &'static str,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Whether it was understood.
    understood: bool,
}

impl Seed {
    /// Whether it is of that provider.
    fn is_of(&self, provider: &str) -> bool {
        let behind = self.bytes.strip_prefix(provider.as_bytes()).and_then(<[u8]>::first);
        behind.is_some_and(|byte| *byte == b' ' || *byte == b'\n')
    }
}

/// Runs them all; the last line names the one that broke a promise.
fn replayed() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, run) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a corpus can be listed").path();
            let bytes = std::fs::read(&path).expect("a seed can be read");
            let understood = std::panic::catch_unwind(|| run(&bytes));
            let understood = understood.unwrap_or_else(|_| panic!("{}: it panicked", path.display()));
            seeds.push(Seed { target, path, understood, bytes });
        }
    }
    seeds
}

#[test]
fn every_seed_keeps_the_promises_of_its_target() {
    let seeds = replayed();
    for (target, _) in TARGETS {
        for understood in [true, false] {
            assert!(
                seeds.iter().any(|seed| seed.target == target && seed.understood == understood),
                "corpus/{target} has no seed with understood = {understood}"
            );
        }
    }
    // The golden bytes of the released formats.
    let golden = seeds.iter().filter(|seed| seed.target == "record" && !seed.path.ends_with("broken"));
    for seed in golden {
        assert!(seed.understood, "{}", seed.path.display());
    }
}

#[test]
fn every_provider_has_a_seed_of_each_kind_that_gets_past_its_proofs() {
    let seeds = replayed();
    for (provider, target) in PROVIDERS
        .iter()
        .flat_map(|known| ["answer", "notification", "section"].map(|target| (known.name, target)))
    {
        let is_deep = |seed: &&Seed| seed.target == target && seed.is_of(provider) && seed.understood;
        assert!(
            seeds.iter().any(|seed| is_deep(&seed)),
            "corpus/{target} has no seed of {provider} that is understood"
        );
    }
}
