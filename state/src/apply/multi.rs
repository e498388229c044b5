use jute::ErrorCode;
use jute::txn::{SubTxn, Txn, TxnHeader};
use jute::wire::{DecodeError, Limits};

use super::Outcome;
use crate::state::State;
use crate::watch::EventSink;

/// Decodes all parts, so that a broken one is found before anything has changed.
pub(super) fn decode_parts<'a>(
    parts: &[SubTxn<'a>],
    limits: Limits,
) -> Result<Vec<Txn<'a>>, DecodeError> {
    parts.iter().map(|part| part.decode_body(limits)).collect()
}

impl State {
    /// Makes all changes under one zxid, or none if one of the parts is an error.
    pub(super) fn multi<'a>(
        &mut self,
        header: &TxnHeader,
        parts: Vec<Txn<'a>>,
        sink: &mut impl EventSink,
    ) -> Outcome<'a> {
        if parts.iter().any(|part| matches!(part, Txn::Error(_))) {
            return Outcome::Multi(failures(&parts));
        }
        let changes = parts.into_iter();
        Outcome::Multi(
            changes
                .map(|part| self.change(header, part, sink))
                .collect(),
        )
    }
}

/// The parts before the failing one have no error of their own, those behind it did not run.
fn failures<'a>(parts: &[Txn<'_>]) -> Vec<Outcome<'a>> {
    let mut err = ErrorCode::Ok;
    let mut results = Vec::with_capacity(parts.len());
    for part in parts {
        results.push(Outcome::Failed(match part {
            Txn::Error(error) => {
                err = ErrorCode::RuntimeInconsistency;
                error.err
            }
            _ => err.as_i32(),
        }));
    }
    results
}
