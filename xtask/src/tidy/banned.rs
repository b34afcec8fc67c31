//! Rule of banned texts: calls that would make the simulation lie, tests that do not test, unfinished work.
//!
//! A line may carry the remark that a rule names; it states why the rule does not apply there.

use super::{Fault, File};

/// A text that must not stand in some files.
struct Ban {
    text: &'static str,
    applies: fn(&File) -> bool,
    /// Only in code of tests.
    in_tests_only: bool,
    /// The remark that lets a line pass; empty: nothing does.
    remark: &'static str,
    instead: &'static str,
}

/// The crates that the simulation runs.
fn is_simulated(file: &File) -> bool {
    is_code(file) && !is_virtual_world(file) && (file.is_in("crates/domain") || file.is_in("crates/engine"))
}

/// Where a pause is real time and so no way to wait for anything.
fn is_in_real_time(file: &File) -> bool {
    is_code(file) && !is_virtual_world(file)
}

/// The simulation's own world: it makes the virtual time that everybody else is handed.
fn is_virtual_world(file: &File) -> bool {
    file.is_in("crates/engine/tests/sim")
}

/// Rust that is written by hand; not this file, which has to name what it bans.
fn is_code(file: &File) -> bool {
    file.is_rust() && !file.is_generated() && file.path != "xtask/src/tidy/banned.rs"
}

const fn ban(text: &'static str, applies: fn(&File) -> bool, instead: &'static str) -> Ban {
    Ban { text, applies, in_tests_only: false, remark: "", instead }
}

const BANS: [Ban; 11] = [
    ban("SystemTime::now", is_simulated, "use the Clock that was handed in"),
    ban("Instant::now", is_simulated, "use the Clock that was handed in"),
    ban("thread_rng", is_simulated, "use the Entropy that was handed in"),
    ban("rand::rng", is_simulated, "use the Entropy that was handed in"),
    ban("#[ignore", is_code, "a test runs or does not exist"),
    ban("todo!", is_code, "finish it"),
    ban("unimplemented!", is_code, "finish it"),
    ban("dbg!", is_code, "remove it"),
    ban("TODO", is_code, "do it, or file it as an issue"),
    ban("FIXME", is_code, "fix it, or file it as an issue"),
    Ban {
        text: "sleep(",
        applies: is_in_real_time,
        in_tests_only: true,
        remark: PAUSED_TIME,
        instead: "wait for what is awaited, with a deadline",
    },
];

/// Lets a line sleep on a clock that jumps, or between two looks at what nothing else tells of.
const PAUSED_TIME: &str = "// tidy: paused time";
const LOOKS_AGAIN: &str = "// tidy: looks again";

/// Lets a line name a hash map or set whose order nobody sees.
const NO_ITERATION: &str = "// tidy: no iteration";

/// Checks a file against every ban.
pub(super) fn check(file: &File) -> Vec<Fault> {
    let mut faults = trailing_space(file);
    for ban in BANS.iter().filter(|ban| (ban.applies)(file)) {
        faults.extend(find(file, ban));
    }
    if is_simulated(file) {
        faults.extend(hash_maps(file));
        faults.extend(unbiased_selects(file));
    }
    faults
}

fn find(file: &File, ban: &Ban) -> Vec<Fault> {
    let tests_from = if file.is_test() { 0 } else { first_test_line(file) };
    let from = if ban.in_tests_only { tests_from } else { 0 };
    let lines = file.text.lines().zip(1..).filter(|(_, number)| *number >= from);
    let hits = lines.filter(|(line, _)| stands_in(line, ban.text) && !has_remark(line, ban.remark));
    hits.map(|(_, number)| Fault::new(file, number, format!("{}: {}", ban.text, ban.instead))).collect()
}

/// Whether the text begins a word of the line: `backoff_sleep(` is not `sleep(`.
fn stands_in(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn has_remark(line: &str, remark: &str) -> bool {
    !remark.is_empty() && (line.contains(remark) || (remark == PAUSED_TIME && line.contains(LOOKS_AGAIN)))
}

/// The line of the module of tests at the end of a file.
fn first_test_line(file: &File) -> usize {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    // `mod tests;` near the top names a file of its own; only a module with a body holds tests here.
    let opens =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{');
    lines.windows(2).position(opens).map_or(usize::MAX, |at| at + 1)
}

fn trailing_space(file: &File) -> Vec<Fault> {
    if file.is_generated() || file.is_fixture() {
        return Vec::new();
    }
    // Not `lines()`, which takes a carriage return for a part of the line's end.
    let lines = file.text.split('\n').zip(1..).filter(|(line, _)| line.ends_with([' ', '\t', '\r']));
    lines.map(|(_, number)| Fault::new(file, number, "ends with white space")).collect()
}

/// The line, from 1, of a place in the text.
fn line_of(file: &File, at: usize) -> usize {
    file.text[..at].matches('\n').count() + 1
}

/// Hash maps and sets, by their import or full name: their iteration has another order in each process.
fn hash_maps(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, _) in file.text.match_indices("std::collections::") {
        let statement = file.text[at..].split([';', '(']).next().unwrap_or_default();
        let line_start = file.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = file.text[line_start..].lines().next().unwrap_or_default();
        let names_hash =
            ["HashMap", "HashSet", "hash_map", "hash_set", "::*"].iter().any(|hash| statement.contains(hash));
        if names_hash && !has_remark(line, NO_ITERATION) {
            let number = line_of(file, at);
            let what = format!("a hash map or set: use a BTree one, or remark `{NO_ITERATION}`");
            faults.push(Fault::new(file, number, what));
        }
    }
    faults
}

/// `select!` without `biased;` draws its own randomness.
fn unbiased_selects(file: &File) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, found) in file.text.match_indices("select!") {
        let after = file.text[at + found.len()..].trim_start().trim_start_matches(['{', '(']).trim_start();
        let line_start = file.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let is_comment = file.text[line_start..at].contains("//");
        if !is_comment && !after.starts_with("biased;") {
            let number = line_of(file, at);
            faults.push(Fault::new(file, number, "select! without `biased;`"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&file).into_iter().map(|fault| format!("{}: {}", fault.line, fault.what)).collect()
    }

    #[test]
    fn every_ban_is_found_where_it_applies() {
        for ban in &BANS {
            let text = format!("//! A module.\n    let x = {};\n", ban.text);
            let found = faults("crates/engine/src/tests.rs", &text);
            assert!(found.len() == 1 && found[0].starts_with("2: "), "{}: {found:?}", ban.text);
            assert!(faults("crates/proto/src/generated/x.rs", &text).is_empty(), "{}", ban.text);
            assert!(faults("docs/x.md", &text).is_empty(), "{}", ban.text);
        }
    }

    #[test]
    fn time_and_randomness_are_banned_in_what_is_simulated_only() {
        let text = "let now = SystemTime::now();\n";
        assert_eq!(faults("crates/domain/src/x.rs", text).len(), 1);
        assert!(faults("crates/server/src/x.rs", text).is_empty());
        assert!(faults("crates/engine_room/src/x.rs", text).is_empty());
    }

    #[test]
    fn sleeping_is_banned_in_tests_and_allowed_on_paused_time() {
        let text = "fn run() { sleep(1) }\n#[cfg(test)]\nmod tests {\n    fn t() { sleep(1) }\n}\n";
        assert_eq!(
            faults("crates/a/src/x.rs", text),
            ["4: sleep(: wait for what is awaited, with a deadline"]
        );
        let remarked = "sleep(1); // tidy: paused time\nfoot_sleep(1);\nsleep_until(1);\n";
        assert!(faults("crates/a/tests/x.rs", remarked).is_empty());
    }

    #[test]
    fn hash_maps_are_found_in_every_form_of_import() {
        for text in [
            "use std::collections::HashMap;\n",
            "use std::collections::{BTreeMap, HashSet};\n",
            "use std::collections::{\n    BTreeMap,\n    HashMap,\n};\n",
            "fn f() -> std::collections::HashMap<u8, u8> {}\n",
            "use std::collections::*;\n",
        ] {
            assert_eq!(faults("crates/engine/src/x.rs", text).len(), 1, "{text}");
            assert!(faults("crates/backends/src/x.rs", text).is_empty(), "{text}");
        }
        for text in
            ["use std::collections::BTreeMap;\n", "use std::collections::HashMap; // tidy: no iteration\n"]
        {
            assert!(faults("crates/engine/src/x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_select_must_be_biased() {
        let unbiased = "//! X.\nselect! {\n    _ = a => {}\n}\n";
        assert_eq!(faults("crates/engine/src/x.rs", unbiased), ["2: select! without `biased;`"]);
        for text in ["tokio::select! {\n    biased;\n    _ = a => {}\n}\n", "// select! is biased here\n"] {
            assert!(faults("crates/engine/src/x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn white_space_at_the_end_of_a_line_is_found() {
        assert_eq!(faults("docs/x.md", "fine\nnot fine \n"), ["2: ends with white space"]);
        assert_eq!(faults("docs/x.md", "not fine\r\n"), ["1: ends with white space"]);
        assert!(faults("crates/providers/src/payjs/fixtures/notify.txt", "as published \n").is_empty());
    }
}
