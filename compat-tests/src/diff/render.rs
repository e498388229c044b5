//! Turns a frame into one line of text from which everything is gone that may differ, and nothing
//! else. Two servers agree when their lines are equal.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::step::Request;
use crate::wire::{Cursor, Stat, XID_EVENT, op};

/// Server clocks must be this close to ours, in milliseconds.
const CLOCK_TOLERANCE: i64 = 60 * 60 * 1000;
/// Data longer than this is shown as its length and a sum.
const SHOWN_DATA: usize = 80;

/// Names for session ids, in order of their creation on one server.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<i64, String>,
}

impl Names {
    /// The name of `id`, new if it was not seen before.
    pub(crate) fn introduce(&mut self, id: i64) -> String {
        let next = self.known.len() + 1;
        self.known
            .entry(id)
            .or_insert_with(|| format!("S{next}"))
            .clone()
    }

    fn owner(&self, id: i64) -> &str {
        if id == 0 {
            return "0";
        }
        self.known.get(&id).map_or("unknown", String::as_str)
    }
}

/// Whether a frame is a watch event.
pub(crate) fn is_event(frame: &[u8]) -> bool {
    frame.first_chunk::<4>() == Some(&XID_EVENT.to_be_bytes())
}

/// The error code in a reply.
pub(crate) fn error_of(frame: &[u8]) -> Option<i32> {
    let bytes: [u8; 4] = frame.get(12..16)?.try_into().ok()?;
    Some(i32::from_be_bytes(bytes))
}

/// One event as text.
pub(crate) fn event(frame: &[u8]) -> String {
    let text = || -> Result<String> {
        let mut cursor = Cursor::new(frame);
        let (_, zxid, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
        let (kind, state, path) = (cursor.int()?, cursor.int()?, cursor.string()?);
        let rest = hex(cursor.rest());
        Ok(format!(
            "event zxid={zxid} err={error} type={kind} state={state} path={path:?}{rest}"
        ))
    };
    text().unwrap_or_else(|error| format!("event undecodable ({error}){}", hex(frame)))
}

/// The reply to `request` as text.
pub(crate) fn reply(frame: &[u8], request: &Request, names: &Names) -> String {
    let text = || -> Result<String> {
        let mut cursor = Cursor::new(frame);
        let (xid, zxid, error) = (cursor.int()?, cursor.long()?, cursor.int()?);
        let zxid = if request.zxid_matters {
            zxid.to_string()
        } else {
            "any".to_owned()
        };
        let mut text = format!("reply xid={xid} zxid={zxid} err={error}");
        if error == 0 {
            body(&mut cursor, request.code, names, &mut text)?;
        } else if request.code == op::MULTI_READ {
            return Ok(text);
        }
        text.push_str(&hex(cursor.rest()));
        Ok(text)
    };
    text().unwrap_or_else(|error| format!("reply undecodable ({error}){}", hex(frame)))
}

fn body(cursor: &mut Cursor<'_>, code: i32, names: &Names, out: &mut String) -> Result<()> {
    match code {
        op::CREATE | op::SYNC => write!(out, " path={:?}", cursor.string()?)?,
        op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            write!(
                out,
                " path={:?} {}",
                cursor.string()?,
                stat(&cursor.stat()?, names)
            )?;
        }
        op::EXISTS | op::SET_DATA | op::SET_ACL => out.push_str(&stat(&cursor.stat()?, names)),
        op::GET_DATA => {
            let shown = data(cursor.buffer()?);
            write!(out, " data={shown}{}", stat(&cursor.stat()?, names))?;
        }
        op::GET_ACL => {
            let mut entries = Vec::new();
            for _ in 0..cursor.int()? {
                let (perms, scheme, id) = (cursor.int()?, cursor.string()?, cursor.string()?);
                entries.push((perms, scheme, id));
            }
            // What `auth` stands for has no order of its own.
            for run in entries.chunk_by_mut(|one, next| one.0 == next.0 && one.1 == next.1) {
                run.sort();
            }
            for (perms, scheme, id) in entries {
                write!(out, " acl={perms}:{scheme:?}:{id:?}")?;
            }
            out.push_str(&stat(&cursor.stat()?, names));
        }
        op::GET_CHILDREN | op::GET_EPHEMERALS => write!(out, " {:?}", sorted(cursor.strings()?))?,
        op::GET_CHILDREN2 => {
            let children = sorted(cursor.strings()?);
            write!(out, " {children:?}{}", stat(&cursor.stat()?, names))?;
        }
        op::MULTI | op::MULTI_READ => results(cursor, names, out)?,
        op::GET_ALL_CHILDREN_NUMBER | op::ADD_WATCH => write!(out, " {}", cursor.int()?)?,
        op::WHO_AM_I => {
            let count = cursor.int()?;
            let identity = |_| Ok(format!("{:?}:{:?}", cursor.string()?, cursor.string()?));
            let identities: Result<Vec<String>> = (0..count).map(identity).collect();
            write!(out, " {:?}", sorted(identities?))?;
        }
        op::SASL => write!(out, " token={}", data(cursor.buffer()?))?,
        _ => {}
    }
    Ok(())
}

fn results(cursor: &mut Cursor<'_>, names: &Names, out: &mut String) -> Result<()> {
    loop {
        let (code, done, error) = (cursor.int()?, cursor.bool()?, cursor.int()?);
        write!(out, " [{code} {done} {error}")?;
        if done {
            out.push(']');
            return Ok(());
        }
        match code {
            -1 => write!(out, " {}", cursor.int()?)?,
            _ => body(cursor, code, names, out)?,
        }
        out.push(']');
    }
}

/// A Stat without its times, unless one of them is wrong.
pub(crate) fn stat(stat: &Stat, names: &Names) -> String {
    format!(
        " stat({} {} {} v={} c={} a={} owner={} len={} kids={} pz={})",
        stat.czxid,
        stat.mzxid,
        times(stat, now()),
        stat.version,
        stat.cversion,
        stat.aversion,
        names.owner(stat.ephemeral_owner),
        stat.data_length,
        stat.num_children,
        stat.pzxid
    )
}

fn times(stat: &Stat, now: i64) -> &'static str {
    let near = |time: i64| (now - time).abs() < CLOCK_TOLERANCE;
    match (stat.ctime, stat.mtime) {
        (0, 0) => "t0",
        (0, mtime) if near(mtime) => "t0+",
        (ctime, mtime) if !near(ctime) || !near(mtime) => "TIME-FAR-FROM-NOW",
        (ctime, mtime) if mtime < ctime => "MTIME-BEFORE-CTIME",
        (ctime, mtime) if stat.czxid == stat.mzxid && ctime != mtime => "TIMES-OF-ONE-ZXID-DIFFER",
        _ => "t",
    }
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

fn data(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > SHOWN_DATA => {
            let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
            format!("<{} bytes, sum {sum}>", bytes.len())
        }
        Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(" +{digits}")
}

#[cfg(test)]
mod tests {
    use super::{Names, Stat, event, times};
    use crate::wire::Writer;

    #[test]
    fn events_show_every_field() {
        let frame = Writer::default()
            .int(-1)
            .long(0xe3)
            .int(0)
            .int(1)
            .int(3)
            .string(Some("/a"))
            .0;
        assert_eq!(
            event(&frame),
            "event zxid=227 err=0 type=1 state=3 path=Some(\"/a\")"
        );
    }

    #[test]
    fn times_are_judged_not_compared() {
        let at = |ctime, mtime, czxid, mzxid| Stat {
            czxid,
            mzxid,
            ctime,
            mtime,
            version: 0,
            cversion: 0,
            aversion: 0,
            ephemeral_owner: 0,
            data_length: 0,
            num_children: 0,
            pzxid: 0,
        };
        let now = 1_000_000_000;
        for (stat, verdict) in [
            (at(0, 0, 0, 0), "t0"),
            (at(now, now, 1, 1), "t"),
            (at(now, now + 1, 1, 2), "t"),
            (at(now, now + 1, 1, 1), "TIMES-OF-ONE-ZXID-DIFFER"),
            (at(now, now - 1, 1, 2), "MTIME-BEFORE-CTIME"),
            (at(1, 1, 1, 1), "TIME-FAR-FROM-NOW"),
        ] {
            assert_eq!(times(&stat, now), verdict);
        }
    }

    #[test]
    fn sessions_are_named_in_order() {
        let mut names = Names::default();
        assert_eq!(names.introduce(77), "S1");
        assert_eq!(names.introduce(5), "S2");
        assert_eq!(names.introduce(77), "S1");
        assert_eq!(
            (names.owner(5), names.owner(0), names.owner(6)),
            ("S2", "0", "unknown")
        );
    }
}
