//! Rule of file sizes: a file that has grown past the limit wants to be two files.

use super::{Fault, File};

/// Lines of a source file at most.
const SOURCE_LINES_MAX: usize = 500;
/// Lines of a file of tests at most.
const TEST_LINES_MAX: usize = 800;

/// A file that may be longer for now. The list may only shrink: entries are lowered or removed, never raised.
pub(super) struct Allowed {
    path: &'static str,
    lines: usize,
    /// When it was written down.
    since: &'static str,
}

/// The files that may be longer for now.
pub(super) const ALLOWED: &[Allowed] = &[];

/// Checks the length of every Rust file that is written by hand.
pub(super) fn check(files: &[File], allowed: &[Allowed]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !file.is_generated()) {
        let lines = file.text.lines().count();
        let lines_max = if file.is_test() { TEST_LINES_MAX } else { SOURCE_LINES_MAX };
        let entry = allowed.iter().find(|entry| entry.path == file.path);
        faults.extend(judge(lines, lines_max, entry).map(|what| Fault::new(file, 0, what)));
    }
    for entry in allowed.iter().filter(|entry| !files.iter().any(|file| file.path == entry.path)) {
        let what = "is gone: remove its entry from the list of long files".to_owned();
        faults.push(Fault { path: entry.path.to_owned(), line: 0, what });
    }
    faults
}

fn judge(lines: usize, lines_max: usize, entry: Option<&Allowed>) -> Option<String> {
    match entry {
        None => (lines > lines_max).then(|| format!("has {lines} lines, at most {lines_max} are allowed")),
        Some(_) if lines <= lines_max => {
            Some("is short enough: remove its entry from the list of long files".to_owned())
        }
        Some(entry) if lines > entry.lines => Some(format!(
            "has {lines} lines, {} were allowed on {}: it may only shrink",
            entry.lines, entry.since
        )),
        Some(entry) if lines < entry.lines => {
            Some(format!("has shrunk: lower its entry of {} from {} to {lines}", entry.since, entry.lines))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &[Allowed] = &[Allowed { path: "crates/a/src/x.rs", lines: 600, since: "2026-11-22" }];

    fn faults(path: &str, lines: usize, allowed: &[Allowed]) -> Vec<String> {
        let file = File { path: path.to_owned(), text: "x\n".repeat(lines) };
        check(&[file], allowed).into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn sources_tests_and_generated_code_have_their_own_limits() {
        assert!(faults("crates/a/src/x.rs", 500, &[]).is_empty());
        assert_eq!(faults("crates/a/src/x.rs", 501, &[]), ["has 501 lines, at most 500 are allowed"]);
        for path in ["crates/a/src/x/tests.rs", "crates/a/tests/it/main.rs"] {
            assert!(faults(path, 800, &[]).is_empty(), "{path}");
            assert_eq!(faults(path, 801, &[]), ["has 801 lines, at most 800 are allowed"], "{path}");
        }
        assert!(faults("crates/proto/src/generated/x.rs", 9000, &[]).is_empty());
        assert!(faults("docs/x.md", 9000, &[]).is_empty());
    }

    #[test]
    fn an_allowed_file_may_only_shrink_and_its_entry_with_it() {
        assert!(faults("crates/a/src/x.rs", 600, LONG).is_empty());
        assert!(faults("crates/a/src/x.rs", 601, LONG)[0].contains("may only shrink"));
        assert!(faults("crates/a/src/x.rs", 599, LONG)[0].contains("lower its entry"));
        assert!(faults("crates/a/src/x.rs", 500, LONG)[0].contains("remove its entry"));
        assert!(faults("crates/a/src/other.rs", 1, LONG)[0].contains("is gone"));
    }
}
