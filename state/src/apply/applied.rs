use std::borrow::Cow;

use jute::data::Stat;
use jute::proto::{ErrorResponse, MultiHeader};
use jute::wire::Encode;
use jute::{Buffer, ErrorCode, OpCode, Zxid};

use super::DigestMismatch;

/// A transaction that was applied, and what a reply to its request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied<'a> {
    /// Its zxid.
    pub zxid: Zxid,
    /// The session that asked for it; 0 for the server's own.
    pub session: i64,
    /// The request's xid.
    pub cxid: i32,
    /// What became of it.
    pub outcome: Outcome<'a>,
    /// Set if the tree is not what the history says it should be. The server goes on, as
    /// Apache does, and makes it known.
    pub digest_mismatch: Option<DigestMismatch>,
}

/// What a change led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// A new node.
    Created {
        /// The operation that created it: decides on the form of the reply.
        op: OpCode,
        /// Its path.
        path: Cow<'a, str>,
        /// Its Stat.
        stat: Stat,
    },
    /// A node less.
    Deleted,
    /// New data; the Stat after it.
    DataSet(Stat),
    /// A new ACL; the Stat after it.
    AclSet(Stat),
    /// A version that was as expected.
    Checked,
    /// A new configuration of the ensemble.
    Reconfigured {
        /// Its text.
        config: Buffer<'a>,
        /// The Stat of its node.
        stat: Stat,
    },
    /// A session was opened.
    SessionCreated {
        /// Its timeout in milliseconds.
        timeout_ms: i32,
    },
    /// A session was closed, and its ephemerals are gone.
    SessionClosed,
    /// The results of a multi's operations: all succeeded, or all are failures.
    Multi(Vec<Self>),
    /// Nothing changed: an [`ErrorCode`], or within a multi 0 for what came before the
    /// failing operation.
    Failed(i32),
}

impl Applied<'_> {
    /// The error of the reply's header. A multi that failed says so in its body.
    pub fn err(&self) -> i32 {
        match self.outcome {
            Outcome::Failed(err) => err,
            _ => ErrorCode::Ok.as_i32(),
        }
    }

    /// Appends the body of the reply; nothing if there is an error in its header.
    pub fn encode_reply(&self, out: &mut Vec<u8>) {
        match &self.outcome {
            Outcome::Failed(_) => {}
            Outcome::Multi(results) => encode_results(results, out),
            outcome => outcome.encode_body(out),
        }
    }
}

impl Outcome<'_> {
    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Created { op, path, stat } => {
                path.encode(out);
                if *op != OpCode::Create {
                    stat.encode(out);
                }
            }
            Self::DataSet(stat) | Self::AclSet(stat) => stat.encode(out),
            Self::Reconfigured { config, stat } => {
                config.encode(out);
                stat.encode(out);
            }
            Self::Failed(err) => ErrorResponse { err: *err }.encode(out),
            Self::Multi(_)
            | Self::Deleted
            | Self::Checked
            | Self::SessionCreated { .. }
            | Self::SessionClosed => {}
        }
    }

    /// In front of the result in a multi's reply: every create that answers a Stat goes by
    /// the type of create2.
    fn result_header(&self) -> MultiHeader {
        MultiHeader::result(match self {
            Self::Created {
                op: OpCode::Create, ..
            } => OpCode::Create,
            Self::Created { .. } => OpCode::Create2,
            Self::Deleted => OpCode::Delete,
            Self::DataSet(_) => OpCode::SetData,
            Self::AclSet(_) => OpCode::SetAcl,
            Self::Checked => OpCode::Check,
            Self::Reconfigured { .. } => OpCode::Reconfig,
            Self::SessionCreated { .. } => OpCode::CreateSession,
            Self::SessionClosed => OpCode::CloseSession,
            Self::Multi(_) => OpCode::Multi,
            Self::Failed(err) => {
                return MultiHeader {
                    kind: OpCode::Error.as_i32(),
                    done: false,
                    err: *err,
                };
            }
        })
    }
}

fn encode_results(results: &[Outcome<'_>], out: &mut Vec<u8>) {
    for result in results {
        result.result_header().encode(out);
        result.encode_body(out);
    }
    MultiHeader::END.encode(out);
}
