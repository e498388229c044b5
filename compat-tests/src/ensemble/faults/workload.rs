//! Clients that write, read, and sync and read a few registers, and record what they were told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::diff::Dice;
use crate::ensemble::client::{
    BAD_VERSION, Client, Outcome, Patience, data_and_stat, path_body, set_body,
};
use crate::ensemble::linear::{Action, Answer, Operation, State};
use crate::wire::{Cursor, Stat, op, path_watch_body};

use super::history::Record;

/// Registers of a round.
pub(super) const KEYS: usize = 3;
/// What the dice must show for a read without a sync.
const PLAIN_READ: u64 = 99;
/// Pause behind each operation: faults shall meet many operations, the search not too many.
const PACE: Duration = Duration::from_millis(3);
/// The registers must be there, and be read at the end, within this time.
const LIMIT: Duration = Duration::from_secs(60);
/// A client gives a silent server up after this time: later than any pause of a nemesis, so that
/// a server that wakes up still answers to somebody.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(1),
    answer: Duration::from_secs(8),
    session: 60_000,
};

/// What all clients of a run share.
#[derive(Debug)]
pub(super) struct Shared {
    start: Instant,
    /// The next value; none is written twice.
    value: AtomicU64,
    /// Ends the round.
    pub(super) stop: AtomicBool,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            value: AtomicU64::new(1),
            stop: AtomicBool::new(false),
        }
    }

    /// Nanoseconds since the start; hundreds of years fit.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// One client; it lives through all rounds.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) client: Client,
    dice: Dice,
    /// It only reads, without a sync: nothing of it waits for a leader, so it sees what a server
    /// that is cut off shows.
    reader: bool,
    /// The version of each register that it saw last.
    versions: [i32; KEYS],
}

fn path(round: u64, key: usize) -> String {
    format!("/register-{round}-{key}")
}

/// Makes the registers of a round, each with version 0 and value 0.
pub(super) fn prepare(addresses: &[SocketAddr], round: u64) -> Result<()> {
    let mut client = Client::new(addresses, PATIENCE);
    (0..KEYS).try_for_each(|key| client.ensure_node(&path(round, key), b"0", LIMIT))
}

/// Reads every register once all is quiet; with a sync, so that nothing may be missing.
pub(super) fn final_reads(
    shared: &Shared,
    addresses: &[SocketAddr],
    round: u64,
) -> Result<Vec<Record>> {
    let mut client = Client::new(addresses, PATIENCE);
    let mut records = Vec::new();
    for key in 0..KEYS {
        let invoked = shared.now();
        client.sync(LIMIT)?;
        let (data, stat) = client.get(&path(round, key), LIMIT)?;
        anyhow::ensure!(
            client.connections_lost == 0,
            "a quiet ensemble lost a connection"
        );
        records.push(Record {
            client: usize::MAX,
            session: client.session_id(),
            key,
            operation: Operation {
                invoked,
                returned: shared.now(),
                action: Action::Read,
                answer: Answer::Saw(state(&data, &stat)?),
            },
            plain: false,
            mzxid: Some(stat.mzxid),
        });
    }
    Ok(records)
}

fn state(data: &[u8], stat: &Stat) -> Result<State> {
    let text = String::from_utf8_lossy(data);
    Ok(State {
        version: stat.version,
        value: text.parse().with_context(|| format!("data {text:?}"))?,
    })
}

impl Worker {
    pub(super) fn new(number: usize, addresses: &[SocketAddr], seed: u64, reader: bool) -> Self {
        let mut own = addresses.to_vec();
        own.rotate_left(number % addresses.len());
        Self {
            number,
            client: Client::new(&own, PATIENCE),
            dice: Dice::new(seed.wrapping_mul(1000).wrapping_add(number as u64)),
            reader,
            versions: [0; KEYS],
        }
    }

    /// Works until the round ends.
    ///
    /// # Errors
    /// When an answer cannot be read: that is a fault of the server.
    pub(super) fn run(&mut self, shared: &Shared, round: u64) -> Result<Vec<Record>> {
        self.versions = [0; KEYS];
        let mut records = Vec::new();
        while !shared.stop.load(Ordering::Relaxed) {
            let key = usize::try_from(self.dice.below(KEYS as u64))?;
            let path = path(round, key);
            let choice = if self.reader {
                PLAIN_READ
            } else {
                self.dice.below(100)
            };
            let record = match choice {
                0..40 => self.write(shared, &path, key, None)?,
                40..55 => self.write(shared, &path, key, Some(self.versions[key]))?,
                55..85 => self.read(shared, &path, key, false)?,
                _ => self.read(shared, &path, key, true)?,
            };
            records.extend(record);
            std::thread::sleep(PACE);
        }
        Ok(records)
    }

    fn write(
        &mut self,
        shared: &Shared,
        path: &str,
        key: usize,
        expected: Option<i32>,
    ) -> Result<Option<Record>> {
        let value = shared.value.fetch_add(1, Ordering::Relaxed);
        let body = set_body(path, value.to_string().as_bytes(), expected.unwrap_or(-1));
        let invoked = shared.now();
        let outcome = self.client.call(op::SET_DATA, &body);
        let mut mzxid = None;
        let answer = match outcome {
            // Not in the history at all: the server has never heard of it.
            Outcome::NotSent => return Ok(None),
            Outcome::Unknown => Answer::Unknown,
            Outcome::Answered(reply) => match reply.error {
                0 => {
                    let stat = Cursor::new(&reply.body).stat()?;
                    anyhow::ensure!(
                        reply.zxid == stat.mzxid,
                        "a write of {:#x} was answered with {:#x}",
                        stat.mzxid,
                        reply.zxid
                    );
                    mzxid = Some(stat.mzxid);
                    self.versions[key] = stat.version;
                    Answer::Written(stat.version)
                }
                BAD_VERSION if expected.is_some() => Answer::BadVersion,
                // Some refusals (a session that moved or expired, say) come before the write,
                // others behind it; unknown covers both.
                _ => Answer::Unknown,
            },
        };
        let action = Action::Write { value, expected };
        Ok(Some(
            self.record(shared, key, invoked, action, answer, mzxid),
        ))
    }

    fn read(
        &mut self,
        shared: &Shared,
        path: &str,
        key: usize,
        plain: bool,
    ) -> Result<Option<Record>> {
        let invoked = shared.now();
        if !plain {
            // The read behind an answered sync goes to the same server: there is a connection.
            match self.client.call(op::SYNC, &path_body(path)) {
                Outcome::Answered(reply) if reply.error == 0 => {}
                _ => return Ok(None),
            }
        }
        // A read without an answer says nothing.
        let body = match self
            .client
            .call(op::GET_DATA, &path_watch_body(path, false))
        {
            Outcome::Answered(reply) if reply.error == 0 => reply.body,
            _ => return Ok(None),
        };
        let (data, stat) = data_and_stat(&body)?;
        self.versions[key] = stat.version;
        let answer = Answer::Saw(state(&data, &stat)?);
        let mzxid = Some(stat.mzxid);
        let mut record = self.record(shared, key, invoked, Action::Read, answer, mzxid);
        record.plain = plain;
        Ok(Some(record))
    }

    fn record(
        &self,
        shared: &Shared,
        key: usize,
        invoked: u64,
        action: Action,
        answer: Answer,
        mzxid: Option<i64>,
    ) -> Record {
        Record {
            client: self.number,
            session: self.client.session_id(),
            key,
            operation: Operation {
                invoked,
                returned: shared.now(),
                action,
                answer,
            },
            plain: false,
            mzxid,
        }
    }
}
