//! What the tests say that they showed: lines that begin with `verified: `, each with its test and how that ended; and
//! what failed, with its first words.

use super::SKIP_MARK;

/// How a test says what it showed, with its counts.
const MARK: &str = "verified: ";
/// How the harness introduces what a test printed, and how that line ends.
const OUTPUT_OF: (&str, &str) = ("---- ", " stdout ----");

/// Lines of a failed test that the end of a run repeats.
const WORDS_OF_A_FAILURE: usize = 12;

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
    failures: Vec<(String, Vec<String>)>,
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
            self.tell(what.trim());
        } else if let Some(skipped) = line.strip_prefix(SKIP_MARK) {
            self.skip(skipped);
        } else if let Some(test) =
            line.strip_prefix(OUTPUT_OF.0).and_then(|rest| rest.strip_suffix(OUTPUT_OF.1))
        {
            test.clone_into(&mut self.test);
            if self.failed {
                self.failures.push((test.to_owned(), Vec::new()));
            }
        } else {
            // What passed stands before what failed, each under its heading.
            match line {
                "successes:" => self.failed = false,
                "failures:" => self.failed = true,
                _ if line.starts_with("test result: ") => self.failed = false,
                _ => {}
            }
            self.read_failure(line);
        }
    }

    /// What the test or program at hand showed.
    pub(super) fn tell(&mut self, what: &str) {
        self.shown.push(Shown { test: self.test.clone(), what: what.to_owned(), passed: !self.failed });
    }

    /// The words of a failed test up to the trace of its stack, or to the list of names that ends them.
    fn read_failure(&mut self, line: &str) {
        let Some((test, words)) = self.failures.last_mut() else { return };
        let is_word = self.failed && *test == self.test && !line.trim().is_empty() && line != "failures:";
        if is_word && words.len() < WORDS_OF_A_FAILURE {
            words.push(line.to_owned());
        }
        if line == "stack backtrace:" || (line == "failures:" && !words.is_empty()) {
            self.test.clear();
        }
    }

    /// What failed: for each test its name and its first words, in the order of the run. A run's output is long, and
    /// whoever looks at its end alone must find them.
    pub(super) fn failures(&self) -> impl Iterator<Item = String> + '_ {
        self.failures.iter().map(|(test, words)| {
            let words: String = words.iter().map(|word| format!("\n    {word}")).collect();
            format!("FAILED: {test}{words}")
        })
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
            failures:\n\n---- b::loses stdout ----\nverified: 7 orders\nthread 'b::loses' panicked\nleft: 1\n\
            stack backtrace:\n   0: begin_unwind\n\nfailures:\n\x20   b::loses\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored";
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
        let failures: Vec<String> = verified.failures().collect();
        assert_eq!(
            failures,
            ["FAILED: b::loses\n    thread 'b::loses' panicked\n    left: 1\n    stack backtrace:"]
        );
    }
}
