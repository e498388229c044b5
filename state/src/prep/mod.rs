//! From a request to a transaction.
//!
//! Requests are validated against the committed state overlaid with everything that was
//! prepared and is not applied yet (`pending`), so pipelined writes see each other. A
//! request that fails becomes an error transaction; both take a zxid.
//!
//! The order of the checks is part of the protocol: it decides which error a client sees.

mod create;
mod draft;
mod eager;
mod multi;
mod pending;
mod session;
mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use jute::data::Id;
use jute::proto::{MultiOp, MultiRequest, ReconfigRequest, SetAclRequest};
use jute::txn::{ErrorTxn, LogEntry, SetDataTxn, Txn, TxnDigest, TxnHeader};
use jute::wire::{Decode, DecodeError, Encode, Limits, Reader};
use jute::{CreateMode, ErrorCode, OpCode, Zxid, path};

use crate::acl::{AuthConfig, Identities};
use crate::quota::QuotaSink;
use crate::state::State;
use draft::Draft;
use pending::Pending;

pub use eager::check_permissions;
pub use session::Closing;

/// What the validation of requests depends on besides the state and its
/// [`Options`](crate::Options).
#[derive(Clone, Debug)]
pub struct PrepOptions {
    /// `zookeeper.enforceQuota`: refuse what exceeds a hard quota.
    pub enforce_quota: bool,
    /// Hears of quotas that are exceeded, if they are enforced.
    pub quota_sink: Option<Arc<dyn QuotaSink>>,
    /// `zookeeper.closeSessionTxn.enabled`: list the ephemerals in closeSession
    /// transactions; the same on all servers.
    pub close_session_txn: bool,
    /// `reconfigEnabled`.
    pub reconfig_enabled: bool,
    /// Who may do what.
    pub auth: AuthConfig,
}

impl Default for PrepOptions {
    fn default() -> Self {
        Self {
            enforce_quota: false,
            quota_sink: None,
            close_session_txn: true,
            reconfig_enabled: false,
            auth: AuthConfig::default(),
        }
    }
}

/// Is a session known to the whole ensemble?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Yes: it may own ephemerals.
    Global,
    /// Only to its server. With `upgrade` the server makes it global before it asks for an
    /// ephemeral by create, create2 or multi; what comes here nevertheless has expired.
    Local {
        /// `localSessionsUpgradingEnabled`.
        upgrade: bool,
    },
}

/// A client's request for a write, without its header.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The session.
    pub session: i64,
    /// The request's xid.
    pub cxid: i32,
    /// The operation.
    pub op: OpCode,
    /// The encoded request record.
    pub body: &'a [u8],
    /// Who the connection was when it was received.
    pub identities: &'a Identities,
    /// The session's kind.
    pub kind: SessionKind,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// A transaction was appended.
    Txn {
        /// Its zxid.
        zxid: Zxid,
        /// Set when it is an error transaction. A multi that failed is none: its error
        /// stands in its parts.
        error: Option<ErrorCode>,
    },
    /// Nothing was appended, no zxid was taken: the answer is this error.
    Reject(ErrorCode),
}

/// The version of the configuration's node, which no one counts.
const ANY_VERSION: i32 = -1;

/// Most memory that is kept from one multi for the next.
const SCRATCH_BYTES_KEPT: usize = 64 << 10;

/// Makes transactions, one after the other. There is one on a server that decides.
pub struct Prep {
    options: PrepOptions,
    pending: Pending,
    last_zxid: Zxid,
    /// Bodies of the parts of a multi, kept for its memory.
    scratch: Vec<u8>,
}

impl Prep {
    /// Starts behind everything that was applied to `state`. The first transaction gets the
    /// zxid after `last_zxid`; `seed` keys the index of pending changes.
    pub fn new(options: PrepOptions, state: &State, last_zxid: Zxid, seed: u64) -> Self {
        assert!(last_zxid >= state.last_zxid(), "zxids only grow");
        Self {
            options,
            pending: Pending::new(state.tree().digest(), seed),
            last_zxid,
            scratch: Vec::new(),
        }
    }

    /// The zxid of the last transaction made, or the one it started from.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The digest of the tree once everything prepared is applied.
    pub fn tree_digest(&self) -> u64 {
        self.pending.digest()
    }

    /// Number of paths with pending changes.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Validates a request and appends the encoded log entry to `out`: header, body and,
    /// unless digests are off, the digest of the tree after it. `now_ms` is the wall clock
    /// in milliseconds since 1970.
    ///
    /// The session's liveness is the caller's to check, before; so are closeSession
    /// requests, see [`Prep::close_session`].
    ///
    /// A request for a reconfiguration is taken for one to a standalone server, which has no
    /// ensemble; a leader asks [`Prep::reconfig`].
    pub fn prepare(
        &mut self,
        state: &State,
        now_ms: i64,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Prepared {
        let write = match Write::decode(request.op, request.body, state.options.limits) {
            Ok(write) => write,
            Err(code) => return Prepared::Reject(code),
        };
        let origin = Origin {
            session: request.session,
            cxid: request.cxid,
            now_ms,
        };
        let mut bodies = std::mem::take(&mut self.scratch);
        let mut draft = self.draft(state, origin, request.kind, request.identities);
        let result = match write {
            Write::One(op) => draft.write(op),
            Write::SetAcl(request) => draft.set_acl(request),
            Write::Reconfig => draft.reconfig(),
            Write::Undecodable => Err(ErrorCode::MarshallingError),
            Write::Multi(request) => draft
                .multi(request.ops, &mut bodies)
                .map(|parts| multi::assemble(&parts, &bodies)),
        };
        let prepared = self.log(state, origin, result, out);
        bodies.clear();
        bodies.shrink_to(SCRATCH_BYTES_KEPT);
        self.scratch = bodies;
        prepared
    }

    /// Makes an error transaction for a request that is refused before its validation: whoever
    /// forwarded it waits for a transaction.
    pub fn refuse(
        &mut self,
        state: &State,
        now_ms: i64,
        (session, cxid): (i64, i32),
        code: ErrorCode,
        out: &mut Vec<u8>,
    ) -> Zxid {
        let origin = Origin {
            session,
            cxid,
            now_ms,
        };
        self.draft(state, origin, SessionKind::Global, &[]);
        self.log(state, origin, Err(code), out);
        self.last_zxid
    }

    /// Replaces the configuration of the ensemble. `decide` makes the new one's text, which
    /// carries the zxid that it is given; what it refuses becomes an error transaction. The
    /// permission is looked at last (3.10).
    pub fn reconfig(
        &mut self,
        state: &State,
        now_ms: i64,
        request: &Request<'_>,
        decide: impl FnOnce(Zxid) -> Result<String, ErrorCode>,
        out: &mut Vec<u8>,
    ) -> Prepared {
        let origin = Origin {
            session: request.session,
            cxid: request.cxid,
            now_ms,
        };
        let enabled = self.options.reconfig_enabled;
        let mut draft = self.draft(state, origin, request.kind, request.identities);
        let decided = match enabled {
            true => decide(draft.zxid),
            false => Err(ErrorCode::ReconfigDisabled),
        };
        let checked = decided.and_then(|text| draft.reconfigure().map(|()| text));
        let text = checked.as_ref().map(String::as_str);
        let txn = text.map(|text| {
            Txn::Reconfig(SetDataTxn {
                path: Some(Cow::Borrowed(path::CONFIG)),
                data: Some(text.as_bytes()),
                version: ANY_VERSION,
            })
        });
        self.log(state, origin, txn.map_err(|code| *code), out)
    }

    /// Forgets the changes of transactions up to `zxid`: they are applied to the state that
    /// is handed in from now on.
    pub fn applied(&mut self, zxid: Zxid) {
        self.pending.applied(zxid);
    }

    fn draft<'p>(
        &'p mut self,
        state: &'p State,
        origin: Origin,
        kind: SessionKind,
        identities: &'p [Id<'static>],
    ) -> Draft<'p> {
        // When the counter reaches the end of an epoch is a leader's concern; a standalone
        // server has no epochs and counts on, as Apache's does.
        let zxid = Zxid(self.last_zxid.0.checked_add(1).expect("63 bits are enough"));
        self.last_zxid = zxid;
        self.pending.begin(zxid);
        Draft {
            state,
            options: &self.options,
            pending: &mut self.pending,
            origin,
            kind,
            identities,
            zxid,
            in_multi: false,
        }
    }

    /// Appends the entry of the transaction begun last, or of its error.
    fn log(
        &mut self,
        state: &State,
        origin: Origin,
        result: Result<Txn<'_>, ErrorCode>,
        out: &mut Vec<u8>,
    ) -> Prepared {
        let zxid = self.last_zxid;
        let start = out.len();
        let error = match result {
            Ok(txn) => {
                let digest = state.options.digest_enabled.then(|| TxnDigest {
                    version: TxnDigest::VERSION,
                    tree_digest: self.pending.digest() as i64,
                });
                origin.entry(zxid, txn, digest).encode(out);
                // Identities in place of `auth` make a list longer than in the request: what
                // no reader of the log would accept must not get there.
                if out.len() - start <= state.options.limits.max_len {
                    return Prepared::Txn { zxid, error: None };
                }
                out.truncate(start);
                ErrorCode::MarshallingError
            }
            Err(code) => code,
        };
        self.pending.roll_back();
        let txn = Txn::Error(ErrorTxn {
            err: error.as_i32(),
        });
        origin.entry(zxid, txn, None).encode(out);
        Prepared::Txn {
            zxid,
            error: Some(error),
        }
    }
}

/// Where a transaction comes from: the part of its header that the request decides.
#[derive(Clone, Copy, Debug)]
struct Origin {
    session: i64,
    cxid: i32,
    now_ms: i64,
}

impl Origin {
    fn entry<'t>(self, zxid: Zxid, txn: Txn<'t>, digest: Option<TxnDigest>) -> LogEntry<'t> {
        LogEntry {
            header: TxnHeader {
                client_id: self.session,
                cxid: self.cxid,
                zxid: zxid.0,
                time: self.now_ms,
                kind: txn.op().as_i32(),
            },
            txn,
            digest,
        }
    }
}

/// Whether a request may be forwarded, as a learner finds out before it does: it can be read, and
/// harms no leader, whatever its kind.
///
/// # Errors
/// UNIMPLEMENTED for what is no write of a client, MARSHALLINGERROR for what is broken,
/// BADARGUMENTS for a createTTL without a TTL.
pub fn check_request(op: OpCode, body: &[u8], limits: Limits) -> Result<(), ErrorCode> {
    let harmful = match Write::decode(op, body, limits)? {
        Write::Undecodable => return Err(ErrorCode::MarshallingError),
        Write::One(op) => create::lacks_ttl(&op),
        // In a multi a createTTL without a TTL is a create, in Apache too.
        Write::Multi(_) | Write::SetAcl(_) | Write::Reconfig => false,
    };
    if harmful {
        return Err(ErrorCode::BadArguments);
    }
    Ok(())
}

/// Whether a request asks for an ephemeral node, for which a local session has to become
/// global first (create, create2 and multi alone, as in Apache).
pub fn wants_ephemeral(op: OpCode, body: &[u8], limits: Limits) -> bool {
    let is_ephemeral = |op: &MultiOp<'_>| match op {
        MultiOp::Create(request) | MultiOp::Create2(request) => {
            CreateMode::from_i32(request.flags).is_some_and(CreateMode::is_ephemeral)
        }
        _ => false,
    };
    match Write::decode(op, body, limits) {
        Ok(Write::One(op)) => is_ephemeral(&op),
        Ok(Write::Multi(request)) => request.ops.iter().any(is_ephemeral),
        _ => false,
    }
}

/// A decoded request.
enum Write<'r> {
    One(MultiOp<'r>),
    SetAcl(SetAclRequest<'r>),
    Multi(MultiRequest<'r>),
    Reconfig,
    /// A multi that cannot be decoded: unlike a single write it takes a zxid.
    Undecodable,
}

impl<'r> Write<'r> {
    /// # Errors
    /// MARSHALLINGERROR when the record of a single write cannot be decoded. (Apache logs
    /// an error under a zxid that is taken already, which stalls an ensemble.)
    /// UNIMPLEMENTED for what is no write of a client: deleteContainer, createSession and a
    /// check outside a multi included.
    fn decode(op: OpCode, body: &'r [u8], limits: Limits) -> Result<Self, ErrorCode> {
        let mut reader = Reader::new(body, limits);
        Self::decode_record(op, &mut reader)
            .ok_or(ErrorCode::Unimplemented)?
            .map_err(|_| ErrorCode::MarshallingError)
    }

    /// `None` when the operation is no write of a client.
    fn decode_record(op: OpCode, reader: &mut Reader<'r>) -> Option<Result<Self, DecodeError>> {
        Some(match op {
            OpCode::Create => Decode::decode(reader).map(|r| Self::One(MultiOp::Create(r))),
            OpCode::Create2 => Decode::decode(reader).map(|r| Self::One(MultiOp::Create2(r))),
            OpCode::CreateContainer => {
                Decode::decode(reader).map(|r| Self::One(MultiOp::CreateContainer(r)))
            }
            OpCode::CreateTtl => Decode::decode(reader).map(|r| Self::One(MultiOp::CreateTtl(r))),
            OpCode::Delete => Decode::decode(reader).map(|r| Self::One(MultiOp::Delete(r))),
            OpCode::SetData => Decode::decode(reader).map(|r| Self::One(MultiOp::SetData(r))),
            OpCode::SetAcl => Decode::decode(reader).map(Self::SetAcl),
            OpCode::Multi => match MultiRequest::decode(reader) {
                // Apache takes no zxid for this one.
                Err(error) if error.kind == MultiRequest::NULL_ACL => Err(error),
                other => Ok(other.map_or(Self::Undecodable, Self::Multi)),
            },
            OpCode::Reconfig => ReconfigRequest::decode(reader).map(|_| Self::Reconfig),
            _ => return None,
        })
    }
}
