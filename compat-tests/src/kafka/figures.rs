//! What the suite measured, and what the records must show.

use std::fmt;

use anyhow::{Result, ensure};

use super::brokers::Sessions;
use super::driver::Answer;
use crate::report::Report;

/// The phase in which a broker is down: its partitions stand still until its session ends.
pub(super) const BROKER_PHASE: &str = "broker";

/// A stretch of the run with one thing done to the cluster.
#[derive(Debug)]
pub(super) struct Phase {
    name: String,
    /// Records acknowledged in it.
    pub(super) acknowledged: u64,
    /// Longest time without an acknowledged record, in milliseconds.
    gap: u64,
    note: String,
}

impl Phase {
    /// From the driver's answer to `phase`.
    pub(super) fn new(name: &str, answer: &Answer, note: String) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            acknowledged: answer.number("acknowledged")?,
            gap: answer.number("gap_ms")?,
            note,
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:>7} acknowledged, longest gap {:>6} ms  {}",
            self.name, self.acknowledged, self.gap, self.note
        )
    }
}

/// The table at the end.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) phases: Vec<Phase>,
    pub(super) kills: u32,
    pub(super) broker_kills: u32,
    pub(super) sessions: Option<Sessions>,
    pub(super) records: Option<Answer>,
}

impl Figures {
    /// Prints what is known: a run that stopped early has less.
    pub(super) fn print(&self) {
        println!("-- figures");
        let row = |name: &str, value: &dyn fmt::Display| println!("{name:<44} {value:>8}");
        row("SIGKILLs of the ensemble's leader", &self.kills);
        row(
            "SIGKILLs of the broker that is controller",
            &self.broker_kills,
        );
        if let Some(sessions) = &self.sessions {
            row("connections of brokers to servers", &sessions.connected);
            row(
                "their log lines about an expired session",
                &sessions.expired.len(),
            );
        }
        if let Some(records) = &self.records {
            for name in ["produced", "acknowledged", "failed", "consumed"] {
                row(
                    &format!("records {name}"),
                    &records.text(name).unwrap_or("?"),
                );
            }
        }
        let longest = |broker: bool| {
            let phases = self
                .phases
                .iter()
                .filter(|phase| (phase.name == BROKER_PHASE) == broker);
            phases.map(|phase| phase.gap).max().unwrap_or_default()
        };
        row(
            "longest gap without an acknowledgement, ms",
            &longest(false),
        );
        row("the same while the broker was down, ms", &longest(true));
    }
}

/// The rows about the records, from the driver's answer to `finish`.
pub(super) fn check_records(records: &Answer, report: &mut Report) {
    let none = |name: &str| -> Result<()> {
        let count = records.number(name)?;
        ensure!(count == 0, "{count} records");
        Ok(())
    };
    report.check("producer and consumer ran to the end", || {
        let stopped = records.text("stopped")?;
        ensure!(stopped.is_empty(), "{stopped}");
        ensure!(records.number("acknowledged")? > 0, "nothing acknowledged");
        Ok(())
    });
    report.check("every acknowledged record was consumed", || none("missing"));
    report.check("every acknowledged record is in the log at the end", || {
        none("lost")
    });
    report.check("no record is in the log twice", || none("duplicates"));
    report.check("each partition keeps the order of its producer", || {
        none("disordered")
    });
    report.check("every record has the text that was produced", || {
        none("altered")
    });
}
