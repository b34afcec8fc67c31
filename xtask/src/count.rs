//! `cargo xtask bench --quick`: instructions of the hot path against `benches/budget.toml`.
//!
//! Instructions are counted, not timed, so that the verdict is the tree's on any machine, busy or not. What libraries
//! do in assembly chosen by the processor (RSA, AES, SHA-256) is counted apart and left out; `paymux-micro` says of what.
//! Another compiler makes other instructions of the same code: a budget holds for the one that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{self, Status};

mod budget;

use budget::Budget;

/// The program that runs each operation, and the function within which instructions are counted: the end of its name,
/// however the compiler writes what stands before it. Nothing may follow, for the counter takes no other star.
const PROGRAM: &str = "paymux-count";
const COUNTED: &str = "*counted_runs";

/// What became of the count.
#[derive(Debug)]
pub(crate) enum Counted {
    /// It was compared with the budget, or made the budget.
    Judged(Status),
    /// It cannot be had here, and why.
    Skipped(String),
}

/// Counts, prints a line for each operation and judges, or makes what was counted the budget.
///
/// # Errors
/// The program cannot be built, run or read.
pub(crate) fn run(root: &Path, is_blessed: bool) -> Result<Counted> {
    let compiler = compiler()?;
    let path = root.join("benches/budget.toml");
    let budget =
        if path.exists() { Budget::read(&std::fs::read_to_string(&path)?)? } else { Budget::default() };
    if let Some(why) = obstacle(&compiler, &budget, is_blessed) {
        return Ok(Counted::Skipped(why));
    }
    let built = process::run(&mut process::cargo(["build", "--release", "-p", "paymux-micro", "--bins"]))?;
    ensure!(built == Status::Succeeded, "the program to be counted cannot be built");
    let program = crate::target_folder(root).join("release").join(PROGRAM);
    let counts = counted(&program)?;
    if is_blessed {
        std::fs::write(&path, Budget { compiler, operations: counts }.written())?;
        println!("written: benches/budget.toml");
        return Ok(Counted::Judged(Status::Succeeded));
    }
    let verdict = budget.judge(&counts);
    verdict.lines.iter().for_each(|line| println!("{line}"));
    Ok(Counted::Judged(if verdict.is_kept { Status::Succeeded } else { Status::Failed }))
}

/// Why nothing can be counted or compared here.
fn obstacle(compiler: &str, budget: &Budget, is_blessed: bool) -> Option<String> {
    let arch = std::env::consts::ARCH;
    if arch != "x86_64" {
        return Some(format!("the budget is of x86_64, this is {arch}"));
    }
    if !process::succeeds("valgrind", ["--version"]) {
        return Some("valgrind is not installed".to_owned());
    }
    let is_other = !is_blessed && budget.compiler != compiler;
    is_other.then(|| format!("benches/budget.toml is of {}, this is {compiler}", budget.compiler))
}

/// The compiler without its patch: `rustc 1.95`.
fn compiler() -> Result<String> {
    let text = process::output("rustc", ["--version"]).context("rustc does not tell its version")?;
    let version = text.split(' ').nth(1).context("rustc tells no version")?;
    let parts: Vec<&str> = version.split('.').take(2).collect();
    Ok(format!("rustc {}", parts.join(".")))
}

/// Instructions of one run of each operation.
fn counted(program: &Path) -> Result<BTreeMap<String, u64>> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--toggle-collect={COUNTED}")).arg(format!("--dump-after={COUNTED}"));
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(program);
    let output = valgrind.stderr(Stdio::piped()).output().context("starting valgrind")?;
    if !output.status.success() {
        bail!("the counted program failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let told = String::from_utf8(output.stdout)?;
    let mut parts = Vec::new();
    for number in 1..=told.lines().count().saturating_sub(1) {
        parts.push(total(&std::fs::read_to_string(part(&out, number))?)?);
    }
    each(&told, &parts)
}

/// What the counter wrote when the function was left for the so-manieth time.
fn part(out: &Path, number: usize) -> PathBuf {
    out.with_extension(number.to_string())
}

/// The sum of one part.
fn total(text: &str) -> Result<u64> {
    let sum = |line: &str| {
        line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")).map(str::to_owned)
    };
    let line = text.lines().rev().find_map(sum).context("the counter wrote no sum")?;
    line.split(' ').next().unwrap_or_default().parse().context("the counter's sum is no number")
}

/// Instructions of one run of each operation, by what the program told: `runs N`, then `counted NAME` and after it
/// `left out NAME` where a part of it does not count.
fn each(told: &str, parts: &[u64]) -> Result<BTreeMap<String, u64>> {
    let mut lines = told.lines();
    let runs = lines.next().and_then(|line| line.strip_prefix("runs ")).context("no runs are told")?;
    let runs: u64 = runs.parse()?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (line, part) in lines.zip(parts) {
        if let Some(name) = line.strip_prefix("counted ") {
            ensure!(counts.insert(name.to_owned(), *part).is_none(), "{name} was counted twice");
        } else if let Some(name) = line.strip_prefix("left out ") {
            let count = counts.get_mut(name).with_context(|| format!("{name} was not counted"))?;
            *count = count.checked_sub(*part).with_context(|| format!("a part of {name} is more than it"))?;
        } else {
            bail!("the counted program says: {line}");
        }
    }
    ensure!(!counts.is_empty(), "nothing was counted");
    Ok(counts.into_iter().map(|(name, count)| (name, count / runs)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_taken_off_and_the_rest_is_divided() {
        let told = "runs 10\ncounted a/b\ncounted c\nleft out c\n";
        let counts = each(told, &[1000, 5000, 4000]).expect("a whole output");
        assert_eq!(counts, BTreeMap::from([("a/b".to_owned(), 100), ("c".to_owned(), 100)]));
        for (told, parts) in [
            ("", &[][..]),
            ("runs 10\n", &[]),
            ("runs 10\ncounted a\ncounted a\n", &[10, 10]),
            ("runs 10\nleft out a\n", &[10]),
            ("runs 10\ncounted a\nleft out a\n", &[10, 20]),
            ("runs 10\nsomething else\n", &[10]),
        ] {
            assert!(each(told, parts).is_err(), "{told}");
        }
    }

    #[test]
    fn a_part_tells_its_sum() {
        assert_eq!(total("events: Ir\nsummary: 77\n\nfn=(1) a\n1 70\n\ntotals: 77\n").expect("a sum"), 77);
        assert_eq!(total("events: Ir\nsummary: 0\n").expect("a sum"), 0);
        assert!(total("events: Ir\n").is_err());
        assert_eq!(part(Path::new("/x/out"), 3), Path::new("/x/out.3"));
    }

    #[test]
    fn a_budget_of_another_compiler_judges_nothing() {
        let budget = Budget { compiler: "rustc 1.94".to_owned(), ..Budget::default() };
        let why = obstacle("rustc 1.95", &budget, false).expect("an obstacle");
        assert!(!why.is_empty());
        assert!(compiler().expect("rustc is there").starts_with("rustc 1."));
    }
}
