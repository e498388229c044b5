//! multi (4): one zxid, all or nothing, each operation sees the ones before it.

use std::borrow::Cow;
use std::ops::Range;

use jute::proto::MultiOp;
use jute::txn::{DeleteTxn, ErrorTxn, SubTxn, Txn};
use jute::wire::Encode;
use jute::{ErrorCode, OpCode};

use super::draft::Draft;

/// A part of a multi: its type and where its body stands.
pub(super) struct Part {
    op: OpCode,
    body: Range<usize>,
}

impl Draft<'_> {
    /// The parts of the transaction, their bodies appended to `bodies`. After an operation
    /// that fails all effects are taken back: its part holds its error, the later ones say
    /// that they were not tried, and the earlier ones stay as they are, unexecuted.
    ///
    /// # Errors
    /// MARSHALLINGERROR, which no single operation can be blamed for.
    pub(super) fn multi(
        &mut self,
        ops: Vec<MultiOp<'_>>,
        bodies: &mut Vec<u8>,
    ) -> Result<Vec<Part>, ErrorCode> {
        self.in_multi = true;
        let mut parts = Vec::with_capacity(ops.len());
        let mut failed = false;
        for op in ops {
            let txn = if failed {
                error(ErrorCode::RuntimeInconsistency)
            } else {
                match self.write(op) {
                    Ok(txn) => txn,
                    Err(ErrorCode::MarshallingError) => return Err(ErrorCode::MarshallingError),
                    Err(code) => {
                        failed = true;
                        self.pending.roll_back();
                        error(code)
                    }
                }
            };
            let start = bodies.len();
            txn.encode(bodies);
            parts.push(Part {
                op: txn.op(),
                body: start..bodies.len(),
            });
        }
        Ok(parts)
    }
}

/// The parts of a multi that deletes these nodes.
pub(super) fn deletes(paths: &[String], bodies: &mut Vec<u8>) -> Vec<Part> {
    let parts = paths.iter().map(|path| {
        let start = bodies.len();
        let path = Some(Cow::Borrowed(path.as_str()));
        DeleteTxn { path }.encode(bodies);
        Part {
            op: OpCode::Delete,
            body: start..bodies.len(),
        }
    });
    parts.collect()
}

/// The transaction of these parts.
pub(super) fn assemble<'b>(parts: &[Part], bodies: &'b [u8]) -> Txn<'b> {
    let parts = parts.iter().map(|part| SubTxn {
        kind: part.op.as_i32(),
        data: &bodies[part.body.clone()],
    });
    Txn::Multi(parts.collect())
}

fn error(code: ErrorCode) -> Txn<'static> {
    Txn::Error(ErrorTxn { err: code.as_i32() })
}
