//! Watches: addWatch, removewatches.

use client::AddWatchMode;
use jute::ErrorCode;
use jute::proto::WatcherType;

use super::argument;
use crate::shell::failure::Failure;
use crate::shell::options::Given;
use crate::shell::{Shell, path, table};

pub(crate) async fn add_watch(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let mode = match given.value("m").map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(_) => {
            let command = table::find("addWatch").expect("this command is in the table");
            return Err(command.misused());
        }
    };
    let path = argument(given, 0);
    path::check(path)?;
    shell.link()?.add_watch(path, mode).await
}

pub(crate) async fn remove_watches(shell: &mut Shell, given: &Given) -> Result<(), Failure> {
    let path = argument(given, 0);
    let kind = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ];
    let kind = kind.into_iter().find(|(name, _)| given.has(name));
    let kind = kind.map_or(WatcherType::Any, |(_, kind)| kind);
    path::check(path)?;
    let link = shell.link()?;
    let held = link.watches().held(path, kind);
    if held.is_empty() {
        return Err(Failure::refused(ErrorCode::NoWatcher, Some(path)));
    }
    // Without a server it is enough, if so wanted, that nobody listens: when there is one again,
    // it is asked to forget the watch.
    if !given.has("l") || link.status().is_connected() {
        link.remove_watches(path, kind).await?;
    }
    link.watches().removed(path, &held);
    Ok(())
}
