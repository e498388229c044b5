//! Ephemerals are there exactly as long as their session, and a session ends neither
//! before its timeout nor for anything but silence, or when its client asks.
//!
//! Source: section 8 of the client protocol; DESIGN.md, invariant 6.

use std::collections::BTreeMap;

use jute::OpCode;
use state::State;

use super::history::{History, header};
use crate::violation::{Checked, ensure};

const NAME: &str = "ephemerals";

/// When the server last heard of each session.
#[derive(Debug, Default)]
pub(crate) struct Ephemerals {
    /// Microseconds, by session.
    heard_us: BTreeMap<i64, u64>,
}

impl Ephemerals {
    /// The server heard of a session.
    pub(crate) fn heard(&mut self, session: i64, now_us: u64) {
        if session != 0 {
            self.heard_us.insert(session, now_us);
        }
    }

    /// A server started: all sessions count as heard of.
    pub(crate) fn started(&mut self, state: &State, now_us: u64) {
        self.heard_us.clear();
        for (session, _) in state.sessions().iter() {
            self.heard(session, now_us);
        }
    }

    /// An entry was made at `now_us`.
    pub(crate) fn prepared(&mut self, history: &History, entry: &[u8], now_us: u64) -> Checked {
        let header = header(entry)?;
        let session = header.client_id;
        if header.kind == OpCode::CreateSession.as_i32() {
            self.heard(session, now_us);
        }
        if header.kind != OpCode::CloseSession.as_i32() || header.cxid != 0 {
            return Ok(());
        }
        let timeout_ms = history.model.sessions.get(&session).copied().unwrap_or(0);
        let heard_us = self.heard_us.get(&session).copied().unwrap_or(0);
        let silent_ms = (now_us - heard_us) / 1000;
        ensure!(
            silent_ms + 1 >= u64::try_from(timeout_ms).unwrap_or(0),
            NAME,
            "session {session:#x} expired after {silent_ms} of {timeout_ms} ms"
        );
        Ok(())
    }
}

/// No ephemeral without its session, in the live tree.
pub(crate) fn owned(state: &State) -> Checked {
    for session in state.sessions_with_ephemerals() {
        let known = state.sessions().timeout_ms(session).is_some();
        let first = state.ephemerals_of(session).next();
        let path = first.map(|id| state.tree().path(id)).unwrap_or_default();
        ensure!(known, NAME, "{path} outlives its session {session:#x}");
    }
    Ok(())
}
