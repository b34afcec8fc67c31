//! Rule of paths: no file names a folder of the machine that it was written on.

use super::{Fault, File};

/// Beginnings of such paths, put together here so that this file passes its own rule.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/bash", "_jobs")];

/// Checks every line of a text file.
pub(super) fn check(file: &File) -> Vec<Fault> {
    let lines = file.text.lines().zip(1..);
    let found = lines.filter_map(|(line, number)| {
        let path = MACHINE_PATHS.iter().find(|path| names(line, path))?;
        Some(Fault::new(file, number, format!("names {path}, a folder of one machine")))
    });
    found.collect()
}

/// Whether the line has the path as an absolute one, not as the end of another.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found_and_others_are_not() {
        for path in MACHINE_PATHS {
            let text = format!("fine\nsee {path}x\n");
            let found = check(&File { path: "docs/a.md".to_owned(), text });
            assert!(found.len() == 1 && found[0].line == 2, "{path}: {found:?}");
            let inner = format!("frame{path}x and https://example.com{path}x\n");
            assert!(check(&File { path: "docs/a.md".to_owned(), text: inner }).is_empty(), "{path}");
        }
    }
}
