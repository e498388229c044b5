//! What concerns the shell itself: its session, its lines, its ways to answer.

use serde_json::json;

use crate::shell::failure::Failure;
use crate::shell::options::Given;
use crate::shell::output::Format;
use crate::shell::table::{self, COMMANDS};
use crate::shell::{Shell, VERSION};

pub(crate) async fn quit(shell: &mut Shell, _: &Given) -> Result<(), Failure> {
    shell.quit().await;
    Ok(())
}

pub(crate) async fn connect(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let server = given.argument(0).map(str::to_owned);
    shell.connect(server).await
}

pub(crate) async fn close(shell: &mut Shell, _: &Given) -> Result<(), Failure> {
    shell.link()?.close().await;
    shell.link = None;
    Ok(())
}

pub(crate) async fn version(shell: &mut Shell, _: &Given) -> Result<(), Failure> {
    let text = || format!("ZooKeeper CLI version: {VERSION}");
    shell.out.say("version", || json!(VERSION), text)
}

pub(crate) async fn history(shell: &mut Shell, _: &Given) -> Result<(), Failure> {
    for (number, line) in shell.history.last() {
        let value = || json!({"number": number, "line": line});
        shell.out.row(&format!("{number} - {line}"), value)?;
    }
    Ok(())
}

pub(crate) async fn redo(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let Some(number) = given.argument(0) else {
        return Ok(());
    };
    let words = shell.history.redo(number)?;
    // It reports its own failure, which decides nothing here, as in Apache's shell.
    shell.run_words(&words).await;
    Ok(())
}

pub(crate) async fn printwatches(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    switch(given, "printwatches", shell, |shell, on| {
        if let Some(on) = on {
            shell.printer.set_on(on);
        }
        shell.printer.is_on()
    })
}

pub(crate) async fn json(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    switch(given, "json", shell, |shell, on| {
        match on {
            Some(true) => shell.out.set_format(Format::Json),
            Some(false) => shell.out.set_format(Format::Text),
            None => {}
        }
        shell.out.format() == Format::Json
    })
}

/// Sets a switch, or tells how it stands.
fn switch(
    given: &Given,
    name: &str,
    shell: &mut Shell,
    set: impl FnOnce(&mut Shell, Option<bool>) -> bool,
) -> Result<(), Failure> {
    let wanted = given.argument(0).map(|word| word == "on");
    let is_on = set(shell, wanted);
    if wanted.is_some() {
        return Ok(());
    }
    let text = || format!("{name} is {}", if is_on { "on" } else { "off" });
    shell.out.say(name, || json!(is_on), text)
}

pub(crate) async fn help(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let text = match given.argument(0) {
        None => table::usage(),
        Some(name) => {
            let command = table::find(name).ok_or_else(|| Failure::not_found(name))?;
            command.usage_text().trim_end().to_owned()
        }
    };
    let names = || COMMANDS.iter().map(|command| command.name).collect();
    shell.out.members(|object| {
        object.insert("commands".to_owned(), names());
    });
    shell.out.say("usage", || json!(text), || text.clone())
}
