//! The table every suite prints: one line per check, then `N passed, N failed`.

use std::time::Instant;

use anyhow::Result;

/// Collects the outcomes of one suite.
#[derive(Debug)]
pub(crate) struct Report {
    suite: &'static str,
    started: Instant,
    passed: u32,
    failed: Vec<String>,
}

impl Report {
    /// An empty table for `suite`.
    pub(crate) fn new(suite: &'static str) -> Self {
        println!("== {suite}");
        Self {
            suite,
            started: Instant::now(),
            passed: 0,
            failed: Vec::new(),
        }
    }

    /// Notes that `name` held.
    pub(crate) fn pass(&mut self, name: &str) {
        self.passed += 1;
        println!("PASS {name}");
    }

    /// Notes that `name` did not hold, and why.
    pub(crate) fn fail(&mut self, name: &str, reason: &str) {
        self.failed.push(name.to_owned());
        println!("FAIL {name}: {reason}");
    }

    /// Prints what was seen of a peer that does not promise better; it counts neither way.
    pub(crate) fn note(&self, name: &str, what: &str) {
        println!("NOTE {name}: {what}");
    }

    /// How many rows have failed so far.
    pub(crate) fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Runs one check; an error is its failure, not the suite's.
    pub(crate) fn check(&mut self, name: &str, body: impl FnOnce() -> Result<()>) {
        match body() {
            Ok(()) => self.pass(name),
            Err(error) => self.fail(name, &format!("{error:#}")),
        }
    }

    /// Takes over the `PASS name` and `FAIL name reason` lines that a foreign
    /// program printed. A program that printed none has failed.
    pub(crate) fn absorb(&mut self, program: &str, output: &str) {
        let mut seen = 0;
        for line in output.lines() {
            if let Some(name) = line.strip_prefix("PASS ") {
                self.pass(name);
                seen += 1;
            } else if let Some(rest) = line.strip_prefix("FAIL ") {
                let (name, reason) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                self.fail(name, reason);
                seen += 1;
            }
        }
        if seen == 0 {
            self.fail(program, "printed no check at all");
        }
    }

    /// Prints the closing line and says whether everything held.
    pub(crate) fn finish(self) -> bool {
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!(
            "{}: {} passed, {} failed ({:.1} s)",
            self.suite,
            self.passed,
            self.failed.len(),
            self.started.elapsed().as_secs_f64()
        );
        self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn foreign_output_is_counted_line_by_line() {
        for (output, passed, failed) in [
            ("PASS a\nnoise\nPASS b\n", 2, 0),
            ("PASS a\nFAIL b it broke\n", 1, 1),
            ("FAIL b\n", 0, 1),
            ("", 0, 1),
            ("noise only\n", 0, 1),
        ] {
            let mut report = Report::new("test");
            report.absorb("program", output);
            assert_eq!(
                (report.passed, report.failed.len()),
                (passed, failed),
                "{output:?}"
            );
        }
    }
}
