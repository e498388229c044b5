//! The lines that were typed, by number, as `history` and `redo` know them.

use std::collections::VecDeque;

use super::failure::Failure;
use super::line;

/// How many lines `history` shows before the present one.
const SHOWN: usize = 10;

/// How many lines can be done again.
const KEPT: usize = 10_000;

/// The lines of a session.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The last ones, the present one included while it runs.
    lines: VecDeque<String>,
    /// The number of the first of them.
    first: usize,
    /// The number of the present one.
    now: usize,
}

impl History {
    /// A line begins.
    pub(crate) fn begin(&mut self, line: &str) {
        self.lines.push_back(line.to_owned());
        if self.lines.len() > KEPT {
            self.lines.pop_front();
            self.first += 1;
        }
    }

    /// The present line is through.
    pub(crate) fn end(&mut self) {
        self.now += 1;
    }

    /// The number of the present line.
    pub(crate) fn now(&self) -> usize {
        self.now
    }

    /// The last lines, the present one included.
    pub(crate) fn last(&self) -> Vec<(usize, &str)> {
        let numbers = self.now.saturating_sub(SHOWN)..=self.now;
        // A command of the command line has no number: then there is no line.
        let line = |number| self.line(number).unwrap_or("null");
        numbers.map(|number| (number, line(number))).collect()
    }

    /// The words of an earlier line, which takes the place of the present one.
    ///
    /// # Errors
    /// When there is no such line, or it is a redo itself.
    pub(crate) fn redo(&mut self, number: &str) -> Result<Vec<String>, Failure> {
        let number = number
            .parse::<i64>()
            .map_err(|_| Failure::new(format!("For input string: \"{number}\"")))?;
        let earlier = usize::try_from(number)
            .ok()
            .filter(|number| *number < self.now);
        let earlier = earlier.and_then(|number| self.line(number));
        let earlier = earlier.ok_or_else(|| Failure::new("Command index out of range"))?;
        let words = line::words(earlier);
        if words.first().is_some_and(|name| name == "redo") {
            return Err(Failure::new("No redoing redos"));
        }
        let earlier = earlier.to_owned();
        if let Some(present) = self.lines.get_mut(self.now - self.first) {
            *present = earlier;
        }
        Ok(words)
    }

    fn line(&self, number: usize) -> Option<&str> {
        let at = number.checked_sub(self.first)?;
        self.lines.get(at).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(lines: &[&str]) -> History {
        let mut history = History::default();
        for line in lines {
            history.begin(line);
            history.end();
        }
        history
    }

    #[test]
    fn the_last_lines_are_shown_with_the_present_one() {
        let mut history = typed(&["l"; 15]);
        history.begin("history");
        let shown = history.last();
        assert_eq!(shown.len(), 11);
        assert_eq!(shown[0], (5, "l"));
        assert_eq!(shown[10], (15, "history"));
        assert_eq!(History::default().last(), [(0, "null")]);
    }

    #[test]
    fn earlier_lines_are_done_again_but_redos_are_not() {
        let mut history = typed(&["ls /", "redo 0"]);
        history.begin("redo 0");
        assert_eq!(history.redo("0"), Ok(vec!["ls".to_owned(), "/".to_owned()]));
        assert_eq!(history.last()[2], (2, "ls /"));
        for (number, message) in [
            ("1", "No redoing redos"),
            ("2", "Command index out of range"),
            ("-1", "Command index out of range"),
            ("x", "For input string: \"x\""),
        ] {
            let told = history.redo(number).expect_err(number).message;
            assert_eq!(told, message);
        }
    }
}
