//! What the tests say that they showed: lines that begin with `verified: `, each with its test and how that ended.

use super::SKIP_MARK;

/// How a test says what it showed, with its counts.
const MARK: &str = "verified: ";
/// How the harness introduces what a test printed, and how that line ends.
const OUTPUT_OF: (&str, &str) = ("---- ", " stdout ----");

/// What one test showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Its name, as the harness has it, or that of a program with a harness of its own.
    pub(super) test: String,
    /// Its own words.
    pub(super) what: String,
    /// Whether it passed.
    pub(super) passed: bool,
}

/// Reads the output of test programs, which show what their tests printed under the tests' names.
#[derive(Debug, Default)]
pub(super) struct Verified {
    shown: Vec<Shown>,
    skipped: Vec<String>,
    test: String,
    failed: bool,
}

impl Verified {
    /// A program begins whose lines stand under no test's name.
    pub(super) fn begin(&mut self, program: &str) {
        program.clone_into(&mut self.test);
        self.failed = false;
    }

    /// Takes in a line of the output.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(what) = line.strip_prefix(MARK) {
            let (test, passed) = (self.test.clone(), !self.failed);
            self.shown.push(Shown { test, what: what.trim().to_owned(), passed });
        } else if let Some(skipped) = line.strip_prefix(SKIP_MARK) {
            self.skip(skipped);
        } else if let Some(test) =
            line.strip_prefix(OUTPUT_OF.0).and_then(|rest| rest.strip_suffix(OUTPUT_OF.1))
        {
            test.clone_into(&mut self.test);
        } else {
            // What passed stands before what failed, each under its heading.
            match line {
                "successes:" => self.failed = false,
                "failures:" => self.failed = true,
                _ => {}
            }
        }
    }

    /// Something was left out.
    pub(super) fn skip(&mut self, what: &str) {
        self.skipped.push(what.to_owned());
    }

    /// In the order of the run.
    pub(super) fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// What was left out, with the reason.
    pub(super) fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_stands_under_its_test_and_how_that_ended() {
        let mut verified = Verified::default();
        let output = "\nrunning 3 tests\ntest a::kills ... ok\ntest a::skips ... ok\ntest b::loses ... FAILED\n\n\
            successes:\n\n---- a::kills stdout ----\n3 kills\nverified: 3 kills, 120 orders \n  verified: inside\n\
            \n---- a::skips stdout ----\nSKIPPED: a: no broker\n\nsuccesses:\n    a::kills\n    a::skips\n\n\
            failures:\n\n---- b::loses stdout ----\nverified: 7 orders\nthread 'b::loses' panicked\n\nfailures:\n\
            \x20   b::loses\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored";
        output.lines().for_each(|line| verified.read(line));
        verified.begin("simulation");
        verified.read("verified: 200 seeds");
        let shown =
            |test: &str, what: &str, passed| Shown { test: test.to_owned(), what: what.to_owned(), passed };
        let expected = [
            shown("a::kills", "3 kills, 120 orders", true),
            shown("b::loses", "7 orders", false),
            shown("simulation", "200 seeds", true),
        ];
        assert_eq!(verified.shown(), expected);
        assert_eq!(verified.skipped(), ["a: no broker"]);
    }
}
