//! Where answers go: as lines for people, or as one JSON object for each command.
//!
//! In JSON what a command says is gathered into one object and written when the command is
//! through; rows of long lists and events are objects of their own, written as they come. All
//! of them go to standard output, one to the line.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::failure::Failure;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As Apache's shell does.
    Text,
    /// One object a line.
    Json,
}

/// Writes a message above the line that is being edited.
pub(crate) type AbovePrompt = Box<dyn FnMut(String) -> io::Result<()> + Send>;

/// Standard output and standard error, shared with what prints events.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Inner>>);

struct Inner {
    format: Format,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// What the present command has said, in JSON.
    object: Map<String, Value>,
    /// Set while a line is edited, which what is printed must not disturb.
    above_prompt: Option<AbovePrompt>,
    /// Standard output could not be written.
    is_closed: bool,
}

impl Output {
    /// Writes to the process's own streams.
    pub(crate) fn stdio(format: Format) -> Self {
        let out = BufWriter::new(io::stdout());
        Self::new(format, Box::new(out), Box::new(io::stderr()))
    }

    /// Writes to any streams.
    pub(crate) fn new(
        format: Format,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            format,
            out,
            err,
            object: Map::new(),
            above_prompt: None,
            is_closed: false,
        })))
    }

    /// The format of answers.
    pub(crate) fn format(&self) -> Format {
        self.inner().format
    }

    /// Writes answers in another format from here on.
    pub(crate) fn set_format(&self, format: Format) {
        self.inner().format = format;
    }

    /// How to print while a line is edited.
    pub(crate) fn set_above_prompt(&self, print: Option<AbovePrompt>) {
        self.inner().above_prompt = print;
    }

    /// Part of an answer: a line, or a member of the object.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn say(
        &self,
        key: &str,
        value: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let mut inner = self.inner();
        match inner.format {
            Format::Text => inner.line(&text()),
            Format::Json => {
                inner.object.insert(key.to_owned(), value());
                Ok(())
            }
        }
    }

    /// Part of an answer that Apache's shell prints on standard error.
    pub(crate) fn say_on_error(&self, key: &str, value: Value, text: &str) {
        let mut inner = self.inner();
        match inner.format {
            Format::Text => inner.error_line(text),
            Format::Json => {
                inner.object.insert(key.to_owned(), value);
            }
        }
    }

    /// Adds members to the object of JSON, and nothing to text.
    pub(crate) fn members(&self, add: impl FnOnce(&mut Map<String, Value>)) {
        let mut inner = self.inner();
        if inner.format == Format::Json {
            add(&mut inner.object);
        }
    }

    /// A row of a list that may be long: written at once.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn row(&self, text: &str, value: impl FnOnce() -> Value) -> Result<(), Failure> {
        let mut inner = self.inner();
        match inner.format {
            Format::Text => inner.line(text),
            Format::Json => inner.line(&value().to_string()),
        }
    }

    /// A row that somebody waits for: shown at once.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn live(&self, text: &str, value: impl FnOnce() -> Value) -> Result<(), Failure> {
        self.row(text, value)?;
        self.inner().flush()
    }

    /// Something worth knowing, on standard error; in JSON a member of `notes`.
    pub(crate) fn note(&self, text: &str) {
        let mut inner = self.inner();
        match inner.format {
            Format::Text => inner.error_line(text),
            Format::Json => inner.json_note(text),
        }
    }

    /// As [`note`](Self::note), for what Apache's shell prints on standard output.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn note_on_output(&self, text: &str) -> Result<(), Failure> {
        let mut inner = self.inner();
        match inner.format {
            Format::Text => inner.line(text),
            Format::Json => {
                inner.json_note(text);
                Ok(())
            }
        }
    }

    /// Words around the answers: greetings and the like. JSON has none.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn chat(&self, text: &str) -> Result<(), Failure> {
        let mut inner = self.inner();
        if inner.format == Format::Text {
            inner.line(text)?;
        }
        Ok(())
    }

    /// A prompt, without a line end.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn prompt(&self, text: &str) -> Result<(), Failure> {
        let mut inner = self.inner();
        if inner.format == Format::Text {
            inner.write(text)?;
            inner.flush()?;
        }
        Ok(())
    }

    /// Something that happened, at any moment: not part of an answer. Shown at once, above the
    /// line that is being edited.
    pub(crate) fn event(&self, text: &str, value: impl FnOnce() -> Value) {
        let mut inner = self.inner();
        let line = match inner.format {
            Format::Text => text.to_owned(),
            Format::Json => value().to_string(),
        };
        // Both ways lead to the same terminal.
        let _ = inner.flush();
        if let Some(print) = &mut inner.above_prompt {
            // Without a terminal there is nobody to tell.
            let _ = print(format!("{line}\n"));
            return;
        }
        // The next answer reports a closed output.
        let _ = inner.line(&line).and_then(|()| inner.flush());
    }

    /// The command is through: its object or its error is written.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn finish(
        &self,
        command: &str,
        outcome: &Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut inner = self.inner();
        match (inner.format, outcome) {
            (Format::Text, Ok(())) => {}
            (Format::Text, Err(failure)) if failure.is_silent => {}
            (Format::Text, Err(failure)) => inner.error_line(&failure.message),
            (Format::Json, _) => {
                let mut object = Map::new();
                object.insert("command".to_owned(), json!(command));
                object.append(&mut inner.object);
                if let Err(failure) = outcome {
                    object.insert("error".to_owned(), error_json(failure));
                }
                inner.line(&Value::Object(object).to_string())?;
            }
        }
        inner.flush()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Output").field(&self.format()).finish()
    }
}

fn error_json(failure: &Failure) -> Value {
    json!({
        "message": failure.message,
        "code": failure.code.map(|code| format!("{code:?}")),
        "path": failure.path,
        "exitCode": failure.exit_code,
    })
}

impl Inner {
    fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text)?;
        self.write("\n")
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let outcome = self.out.write_all(text.as_bytes());
        self.check(outcome)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let outcome = self.out.flush();
        self.check(outcome)
    }

    /// Whatever the reason: nothing can be shown any more, and trying again would show a part.
    fn check(&mut self, outcome: io::Result<()>) -> Result<(), Failure> {
        self.is_closed |= outcome.is_err();
        if self.is_closed {
            return Err(Failure::output_closed());
        }
        Ok(())
    }

    /// The streams may be one terminal: what was said before comes first. A closed standard
    /// error has nobody to complain to.
    fn error_line(&mut self, text: &str) {
        let _ = self.flush();
        let _ = self.err.write_all(format!("{text}\n").as_bytes());
    }

    fn json_note(&mut self, text: &str) {
        let notes = self.object.entry("notes").or_insert_with(|| json!([]));
        if let Value::Array(notes) = notes {
            notes.push(json!(text));
        }
    }
}

/// Streams that tests can read.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A stream kept in memory.
    #[derive(Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        /// What was written since the last look.
        pub(crate) fn take(&self) -> String {
            let mut bytes = self.0.lock().expect("no panic while writing");
            String::from_utf8_lossy(&std::mem::take(&mut *bytes)).into_owned()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output with its two streams.
    pub(crate) fn output(format: Format) -> (Output, Sink, Sink) {
        let (out, err) = (Sink::default(), Sink::default());
        let output = Output::new(format, Box::new(out.clone()), Box::new(err.clone()));
        (output, out, err)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::output;
    use super::*;

    fn speak(output: &Output) -> Result<(), Failure> {
        output.chat("Welcome")?;
        output.row("/a", || json!({"path": "/a"}))?;
        output.say("number", || json!(7), || "7".to_owned())?;
        output.say_on_error("created", json!("/a"), "Created /a");
        output.note("old form");
        output.note_on_output("[Warning]")?;
        output.event("\nWATCHER", || json!({"event": 1}));
        output.finish("x", &Ok(()))?;
        output.finish("y", &Err(Failure::not_found("y")))
    }

    #[test]
    fn text_goes_to_both_streams() {
        let (output, out, err) = output(Format::Text);
        speak(&output).expect("open");
        assert_eq!(out.take(), "Welcome\n/a\n7\n[Warning]\n\nWATCHER\n");
        assert_eq!(
            err.take(),
            "Created /a\nold form\nCommand not found: Command not found y\n"
        );
    }

    #[test]
    fn json_has_an_object_for_each_command() {
        let (output, out, err) = output(Format::Json);
        speak(&output).expect("open");
        assert_eq!(
            out.take(),
            "{\"path\":\"/a\"}\n\
             {\"event\":1}\n\
             {\"command\":\"x\",\"created\":\"/a\",\"notes\":[\"old form\",\"[Warning]\"],\"number\":7}\n\
             {\"command\":\"y\",\"error\":{\"code\":null,\"exitCode\":127,\
             \"message\":\"Command not found: Command not found y\",\"path\":null}}\n"
        );
        assert_eq!(err.take(), "");
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_output_ends_the_command() {
        let output = Output::new(Format::Text, Box::new(Closed), Box::new(io::sink()));
        let failure = output.chat("x").expect_err("closed");
        assert!(failure.is_silent);
        let failure = output.finish("x", &Ok(())).expect_err("closed");
        assert!(failure.is_silent);
    }
}
