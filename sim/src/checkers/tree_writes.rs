//! A write is answered with what its transaction did, and its transaction is the one that
//! the tree before it allows: the right error, or success.
//!
//! Source: sections 2.5 and 3.2 to 3.7 of the client protocol; DESIGN.md, invariant 2.

use client::session::{Reply, Request, WritePart, WriteResult};
use jute::data::{Acl, perms};
use jute::txn::Txn;
use jute::wire::Limits;
use jute::{ErrorCode, OpCode};
use state::tree::Owner;

use super::history::History;
use super::tree_reads::Answer;
use crate::model::{Model, Node, owner, parent, permits};
use crate::violation::{Checked, ensure};

const NAME: &str = "tree_writes";

/// Who wrote, and what is known.
pub(crate) struct Writer<'a> {
    pub(crate) history: &'a History,
    pub(crate) session: i64,
    pub(crate) xid: i32,
    pub(crate) digests: &'a [String],
    /// The zxid in the reply's header.
    pub(crate) zxid: i64,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in the history.
    Logged,
    /// There was no space for it.
    Refused,
}

impl Writer<'_> {
    /// Compares the answer with the history.
    pub(crate) fn check(&self, request: &Request, answer: &Answer) -> Checked<Fate> {
        let entry = self.history.entry(self.zxid);
        let own = entry.filter(|entry| {
            (entry.header.client_id, entry.header.cxid) == (self.session, self.xid)
        });
        let Some(entry) = own else {
            ensure!(
                *answer == Err(ErrorCode::SystemError.as_i32()),
                NAME,
                "{request:?} answered {answer:x?} as of {:#x}, which is not its transaction",
                self.zxid
            );
            return Ok(Fate::Refused);
        };
        let expected = self.expected(&entry.txn, answer);
        ensure!(
            *answer == expected,
            NAME,
            "{request:?} answered {answer:x?} instead of {expected:x?} at {:#x}",
            self.zxid
        );
        let over = *answer == Err(ErrorCode::SessionExpired.as_i32());
        if over && self.history.is_closed(self.session) {
            return Ok(Fate::Logged);
        }
        let judged = !matches!(
            request,
            Request::Multi(_) | Request::CloseSession | Request::Reconfig { .. }
        );
        if judged {
            let error = self.allowed(request).err().map(ErrorCode::as_i32);
            let found = answer.as_ref().err().copied();
            ensure!(
                found == error,
                NAME,
                "{request:?} ended in {found:?}, the tree before {:#x} calls for {error:?}",
                self.zxid
            );
        }
        if let (Request::Multi(parts), Ok(Reply::Writes(results))) = (request, answer) {
            ensure!(
                parts.len() == results.len(),
                NAME,
                "{} results for {} writes",
                results.len(),
                parts.len()
            );
            self.same_kinds(parts, results)?;
        }
        Ok(Fate::Logged)
    }

    fn expected(&self, txn: &Txn<'_>, answer: &Answer) -> Answer {
        let stat = |path: &str| {
            let model = &self.history.model;
            let node = model.at(path, self.zxid)?;
            Some(model.client_stat(path, node, self.zxid))
        };
        let path = |path: &jute::Ustring<'_>| path.as_deref().unwrap_or_default().to_owned();
        match txn {
            Txn::Create(txn) => Ok(Reply::Path(path(&txn.path))),
            Txn::Create2(txn) => created(path(&txn.path), stat),
            Txn::CreateContainer(txn) => created(path(&txn.path), stat),
            Txn::CreateTtl(txn) => created(path(&txn.path), stat),
            Txn::SetData(txn) => Ok(Reply::Stat(stat(&path(&txn.path)).unwrap_or_default())),
            Txn::SetAcl(txn) => Ok(Reply::Stat(stat(&path(&txn.path)).unwrap_or_default())),
            Txn::Error(txn) => Err(txn.err),
            Txn::Reconfig(txn) => match answer {
                // The Stat is that of the server's own node.
                Ok(Reply::Data(_, stat)) => Ok(Reply::Data(txn.data.map(<[u8]>::to_vec), *stat)),
                _ => Ok(Reply::Data(None, jute::data::Stat::default())),
            },
            Txn::Multi(parts) => {
                let bodies = parts.iter();
                let bodies = bodies.map(|part| part.decode_body(Limits::default()));
                let bodies: Vec<_> = bodies.flatten().collect();
                Ok(Reply::Writes(multi_results(&bodies, answer)))
            }
            _ => Ok(Reply::Done),
        }
    }

    fn same_kinds(&self, parts: &[WritePart], results: &[WriteResult]) -> Checked {
        let failed = results
            .iter()
            .any(|result| matches!(result, WriteResult::Failed(_)));
        for (part, result) in parts.iter().zip(results) {
            let fits = match (part, result) {
                (_, WriteResult::Failed(_)) => failed,
                (WritePart::Create { path, .. }, WriteResult::Created(made, _)) => {
                    made.starts_with(path.as_str())
                }
                (WritePart::Delete { .. }, WriteResult::Deleted)
                | (WritePart::SetData { .. }, WriteResult::Set(_))
                | (WritePart::Check { .. }, WriteResult::Checked) => !failed,
                _ => false,
            };
            ensure!(fits, NAME, "{part:?} in a multi answered {result:?}");
        }
        Ok(())
    }

    /// The error that a write must end in, given the tree before it; in the protocol's
    /// order of the checks.
    fn allowed(&self, request: &Request) -> Result<(), ErrorCode> {
        match request {
            Request::Write(WritePart::Create {
                path, acl, kind, ..
            }) => {
                self.fixed(acl)?;
                let above = self.before(parent(path).unwrap_or("/"))?;
                self.permitted(above, perms::CREATE)?;
                let number = above.stat.cversion;
                let full = if kind.mode.is_sequential() {
                    format!("{path}{number:010}")
                } else {
                    path.clone()
                };
                if self.before(&full).is_ok() {
                    return Err(ErrorCode::NodeExists);
                }
                if matches!(owner(above), Owner::Session(_)) {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                Ok(())
            }
            Request::Write(WritePart::Delete { path, version }) => {
                let above = self.before(parent(path).unwrap_or("/"))?;
                self.permitted(above, perms::DELETE)?;
                let node = self.before(path)?;
                same_version(*version, node.stat.version)?;
                if self.model().children(path, self.zxid - 1).is_empty() {
                    Ok(())
                } else {
                    Err(ErrorCode::NotEmpty)
                }
            }
            Request::Write(WritePart::SetData { path, version, .. }) => {
                let node = self.before(path)?;
                self.permitted(node, perms::WRITE)?;
                same_version(*version, node.stat.version)
            }
            Request::SetAcl { path, acl, version } => {
                self.fixed(acl)?;
                let node = self.before(path)?;
                self.permitted(node, perms::ADMIN)?;
                same_version(*version, node.stat.aversion)
            }
            _ => Ok(()),
        }
    }

    fn model(&self) -> &Model {
        &self.history.model
    }

    fn before(&self, path: &str) -> Result<&Node, ErrorCode> {
        let node = self.model().at(path, self.zxid - 1);
        node.ok_or(ErrorCode::NoNode)
    }

    fn permitted(&self, node: &Node, wanted: i32) -> Result<(), ErrorCode> {
        if permits(&node.acl, wanted, self.digests) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    /// `auth` stands for the writer's own identities; without any it means nobody.
    fn fixed(&self, acl: &[Acl<'_>]) -> Result<(), ErrorCode> {
        let is_auth = |entry: &Acl<'_>| entry.id.scheme.as_deref() == Some("auth");
        if acl.iter().any(is_auth) && self.digests.is_empty() {
            return Err(ErrorCode::InvalidAcl);
        }
        Ok(())
    }
}

fn created(path: String, stat: impl Fn(&str) -> Option<jute::data::Stat>) -> Answer {
    let stat = stat(&path).unwrap_or_default();
    Ok(Reply::Created(path, stat))
}

fn same_version(wanted: i32, found: i32) -> Result<(), ErrorCode> {
    if wanted == -1 || wanted == found {
        Ok(())
    } else {
        Err(ErrorCode::BadVersion)
    }
}

/// What a multi's transaction calls for. The Stats are taken from the answer: a later part
/// may have changed the node again.
fn multi_results(parts: &[Txn<'_>], answer: &Answer) -> Vec<WriteResult> {
    let answered = match answer {
        Ok(Reply::Writes(results)) => &results[..],
        _ => &[],
    };
    let failed_at = parts.iter().position(|part| {
        matches!(part, Txn::Error(error) if error.err != ErrorCode::RuntimeInconsistency.as_i32())
    });
    let results = parts.iter().enumerate().map(|(at, part)| {
        if let Some(failed_at) = failed_at {
            return WriteResult::Failed(match part {
                Txn::Error(error) => error.err,
                _ if at < failed_at => ErrorCode::Ok.as_i32(),
                _ => ErrorCode::RuntimeInconsistency.as_i32(),
            });
        }
        match (part, answered.get(at)) {
            (Txn::Create(txn), _) => {
                WriteResult::Created(txn.path.as_deref().unwrap_or_default().to_owned(), None)
            }
            (_, Some(WriteResult::Created(path, Some(stat)))) if made(part) == Some(path) => {
                WriteResult::Created(path.clone(), Some(*stat))
            }
            (Txn::SetData(_), Some(WriteResult::Set(stat))) => WriteResult::Set(*stat),
            (Txn::Delete(_), _) => WriteResult::Deleted,
            (Txn::Check(_), _) => WriteResult::Checked,
            (other, _) => WriteResult::Failed(other.op().as_i32()),
        }
    });
    results.collect()
}

fn made<'a>(part: &'a Txn<'_>) -> Option<&'a str> {
    match part {
        Txn::Create2(txn) => txn.path.as_deref(),
        Txn::CreateContainer(txn) => txn.path.as_deref(),
        Txn::CreateTtl(txn) => txn.path.as_deref(),
        _ => None,
    }
}

/// Is this a write?
pub(crate) fn is_write(request: &Request) -> bool {
    matches!(
        request.op(),
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::CloseSession
            | OpCode::Reconfig
    )
}
