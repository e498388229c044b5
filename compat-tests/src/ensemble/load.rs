//! Writers that remember what was acknowledged, and when: what they were told must be there at
//! the end, and the longest time without an acknowledgement is what a client waits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::tree_dump::Tree;
use crate::wire::{create_body, op};

use super::client::{Client, Outcome, Patience, set_body};

/// Clients writing at the same time.
const WRITERS: usize = 4;
/// Every so many writes is a create, the others set the writer's counter.
const CREATE_EVERY: u64 = 4;
/// Pause behind each write: the load shall show gaps, not fill the tree.
const PACE: Duration = Duration::from_millis(4);
/// The nodes of the writers must be there within this time.
const PREPARE_LIMIT: Duration = Duration::from_secs(30);

/// Distinguishes the loads of one process: no two share a node.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// What one writer was told.
#[derive(Debug, Default)]
struct Told {
    /// Its counter, and the parent of its nodes.
    path: String,
    /// Nodes by name, with the number in their data.
    created: BTreeMap<String, u64>,
    /// Highest number that was set on its counter.
    counter: u64,
    acknowledged: Vec<Instant>,
    unknown: u64,
    refused: Vec<i32>,
    sessions_lost: u32,
    connections_lost: u32,
    went_back: usize,
}

/// A load that runs.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Told>>,
    started: Instant,
}

/// What all writers were told.
#[derive(Debug)]
pub(crate) struct Outcomes {
    told: Vec<Told>,
    started: Instant,
    ended: Instant,
}

impl Load {
    /// Starts the writers, spread over these servers; each stays where it is until it must move.
    ///
    /// # Errors
    /// When the servers do not take them.
    pub(crate) fn start(addresses: &[SocketAddr]) -> Result<Self> {
        let mut clients = Vec::new();
        let load = COUNT.fetch_add(1, Ordering::Relaxed);
        for index in 0..WRITERS {
            let mut own = addresses.to_vec();
            own.rotate_left(index % addresses.len());
            let mut client = Client::connected(&own, Patience::USUAL, PREPARE_LIMIT)?;
            let path = format!("/load-{load}-{index}");
            client.ensure_node(&path, b"0", PREPARE_LIMIT)?;
            clients.push((client, path));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let writers = clients.into_iter().map(|(client, path)| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || write(client, path, &stop))
        });
        Ok(Self {
            writers: writers.collect(),
            stop,
            started,
        })
    }

    /// Ends the load.
    pub(crate) fn finish(self) -> Outcomes {
        self.stop.store(true, Ordering::Relaxed);
        let ended = Instant::now();
        let told = self.writers.into_iter().map(JoinHandle::join);
        Outcomes {
            told: told
                .map(|told| told.expect("a writer does not panic"))
                .collect(),
            started: self.started,
            ended,
        }
    }
}

fn write(mut client: Client, path: String, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let creates = number % CREATE_EVERY == 0;
        let name = format!("{path}/n{number}");
        let data = number.to_string();
        let outcome = if creates {
            client.call(op::CREATE, &create_body(&name, data.as_bytes(), 0))
        } else {
            client.call(op::SET_DATA, &set_body(&path, data.as_bytes(), -1))
        };
        match outcome {
            Outcome::Answered(reply) if reply.error == 0 => {
                told.acknowledged.push(Instant::now());
                if creates {
                    told.created.insert(name, number);
                } else {
                    told.counter = number;
                }
            }
            Outcome::Answered(reply) => told.refused.push(reply.error),
            Outcome::Unknown => told.unknown += 1,
            Outcome::NotSent => {}
        }
        std::thread::sleep(PACE);
    }
    told.path = path;
    told.sessions_lost = client.sessions_lost;
    told.connections_lost = client.connections_lost;
    told.went_back = client.went_back.len();
    told
}

impl Outcomes {
    /// Acknowledged writes.
    pub(crate) fn acknowledged(&self) -> usize {
        self.told.iter().map(|told| told.acknowledged.len()).sum()
    }

    /// Writes whose answer never came.
    pub(crate) fn unknown(&self) -> u64 {
        self.told.iter().map(|told| told.unknown).sum()
    }

    /// Sessions that the servers gave up.
    pub(crate) fn sessions_lost(&self) -> u32 {
        self.told.iter().map(|told| told.sessions_lost).sum()
    }

    /// Connections that ended.
    pub(crate) fn connections_lost(&self) -> u32 {
        self.told.iter().map(|told| told.connections_lost).sum()
    }

    /// Longest time without an acknowledged write of any writer.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut times = vec![self.started, self.ended];
        for told in &self.told {
            times.extend(told.acknowledged.iter().filter(|at| **at < self.ended));
        }
        longest_gap(times)
    }

    /// Insists that `tree` holds everything that was acknowledged, and that no writer was refused
    /// a write or shown a zxid that went back.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn verify(&self, tree: &Tree) -> Result<()> {
        for told in &self.told {
            let path = &told.path;
            for (name, number) in &told.created {
                let node = tree
                    .get(name)
                    .with_context(|| format!("{name} was acknowledged and is gone"))?;
                anyhow::ensure!(
                    node.data.as_deref() == Some(number.to_string().as_bytes()),
                    "{name} holds {:?}",
                    node.data
                );
            }
            let node = tree.get(path).with_context(|| format!("{path} is gone"))?;
            let data = String::from_utf8_lossy(node.data.as_deref().unwrap_or_default());
            let value: u64 = data.parse().context("the counter")?;
            anyhow::ensure!(
                value >= told.counter,
                "{path} is {value}, but {} was acknowledged",
                told.counter
            );
            anyhow::ensure!(
                told.went_back == 0,
                "zxids of the writer of {path} went back"
            );
            let first = told.refused.first();
            anyhow::ensure!(first.is_none(), "a write was refused with {first:?}");
        }
        Ok(())
    }
}

fn longest_gap(mut times: Vec<Instant>) -> Duration {
    times.sort_unstable();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_the_ends() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (times, expected) in [
            (vec![at(0), at(9)], 9),
            (vec![at(9), at(0), at(7)], 7),
            (vec![at(0), at(1), at(2), at(9)], 7),
        ] {
            assert_eq!(longest_gap(times), Duration::from_millis(expected));
        }
    }
}
