//! What answers look like: as Apache's shell prints them, and as JSON.

mod hexdump;
mod json;
mod time;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use jute::data::{Acl, Stat};

use super::acl;

pub(crate) use hexdump::hexdump;
pub(crate) use json::{acl_json, data_json, stat_json, zxid_json};
pub(crate) use time::Clock;

/// The eleven lines of a Stat.
pub(crate) fn stat(stat: &Stat, clock: &Clock) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\n\
         cversion = {}\ndataVersion = {}\naclVersion = {}\nephemeralOwner = 0x{:x}\n\
         dataLength = {}\nnumChildren = {}",
        stat.czxid,
        clock.date(stat.ctime),
        stat.mzxid,
        clock.date(stat.mtime),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    );
    text
}

/// Two lines for each entry.
pub(crate) fn acl(entries: &[Acl<'_>]) -> String {
    let lines = entries.iter().map(|entry| {
        let (scheme, id) = acl::who(entry);
        format!("'{scheme},'{id}\n: {}", acl::letters(entry.perms))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A list as Java prints it.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    format!("[{}]", items.join(", "))
}

/// An event, as its watcher prints it: with a title, and empty lines around it.
pub(crate) fn event(state: &str, kind: &str, path: Option<&str>, zxid: i64) -> String {
    let path = path.unwrap_or("null");
    format!("\nWATCHER::\n\nWatchedEvent state:{state} type:{kind} path:{path} zxid: {zxid}")
}
