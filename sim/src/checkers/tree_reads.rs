//! A read shows exactly the tree of the zxid in its header: with
//! [`session_order`](super::session_order) that makes every node a linearizable register.
//!
//! Source: DESIGN.md, invariants 5 and 7; section 3.8 of the client protocol.

use client::session::{ReadPart, Reply, Request};
use jute::ErrorCode;
use jute::data::perms;

use super::watch_order::Watching;
use crate::model::{Model, Node, permits};
use crate::violation::{Checked, ensure};

const NAME: &str = "tree_reads";

/// A read's answer, as the client got it.
pub(crate) type Answer = Result<Reply, i32>;

/// Who asks, and what is known.
pub(crate) struct Reader<'a> {
    pub(crate) model: &'a Model,
    pub(crate) watching: &'a Watching,
    pub(crate) session: i64,
    pub(crate) digests: &'a [String],
    /// The zxid in the reply's header.
    pub(crate) zxid: i64,
}

impl Reader<'_> {
    /// Compares the answer with the model's.
    pub(crate) fn check(&self, request: &Request, answer: &Answer) -> Checked {
        let Some(expected) = self.expected(request) else {
            return Ok(());
        };
        let answer = sorted(answer.clone());
        ensure!(
            answer == expected,
            NAME,
            "{request:?} as of {:#x} answered {answer:x?} instead of {expected:x?}",
            self.zxid
        );
        Ok(())
    }

    /// None for what is not compared.
    fn expected(&self, request: &Request) -> Option<Answer> {
        let (model, zxid) = (self.model, self.zxid);
        let expected = match request {
            Request::Exists { path, .. } => {
                let node = self.readable(path, perms::READ);
                node.map(|node| Reply::Stat(model.client_stat(path, node, zxid)))
            }
            Request::GetData { path, .. } => self.data(path),
            Request::GetChildren { path, .. } => self.children(path),
            Request::GetChildren2 { path, .. } => self.readable(path, perms::READ).map(|node| {
                let names = model.children(path, zxid);
                Reply::NamesAndStat(names, model.client_stat(path, node, zxid))
            }),
            Request::GetAcl { path } => {
                let node = self.readable(path, perms::READ | perms::ADMIN);
                // Digests are masked for those without ADMIN; that is not compared.
                if node.is_ok_and(|node| !permits(&node.acl, perms::ADMIN, self.digests)) {
                    return None;
                }
                node.map(|node| Reply::Acl(node.acl.to_vec(), model.client_stat(path, node, zxid)))
            }
            Request::GetEphemerals { prefix } => {
                let mut paths = model.ephemerals(self.session, zxid);
                paths.retain(|path| path.starts_with(prefix.as_str()));
                Ok(Reply::Names(paths))
            }
            Request::GetAllChildrenNumber { path } => {
                let node = self.readable(path, perms::READ);
                node.map(|_| Reply::Count(model.descendants(path, zxid) as i32))
            }
            Request::Sync { path } => Ok(Reply::Path(path.clone())),
            Request::MultiRead(parts) => Ok(Reply::Reads(
                parts.iter().map(|part| self.part(part)).collect(),
            )),
            Request::AddWatch { .. } => Ok(Reply::Done),
            Request::RemoveWatches { path, kind } | Request::CheckWatches { path, kind } => {
                if self.watching.has(path, *kind) {
                    Ok(Reply::Done)
                } else {
                    Err(ErrorCode::NoWatcher.as_i32())
                }
            }
            _ => return None,
        };
        Some(expected)
    }

    fn part(&self, part: &ReadPart) -> Answer {
        match part {
            ReadPart::GetData(path) => self.data(path),
            ReadPart::GetChildren(path) => self.children(path),
        }
    }

    fn data(&self, path: &str) -> Answer {
        let node = self.readable(path, perms::READ)?;
        let data = node.data.as_ref().map(|data| data.to_vec());
        let stat = self.model.client_stat(path, node, self.zxid);
        Ok(Reply::Data(data, stat))
    }

    fn children(&self, path: &str) -> Answer {
        self.readable(path, perms::READ)?;
        Ok(Reply::Names(self.model.children(path, self.zxid)))
    }

    fn readable(&self, path: &str, wanted: i32) -> Result<&Node, i32> {
        let node = self.model.at(path, self.zxid);
        let node = node.ok_or(ErrorCode::NoNode.as_i32())?;
        if permits(&node.acl, wanted, self.digests) {
            Ok(node)
        } else {
            Err(ErrorCode::NoAuth.as_i32())
        }
    }
}

/// Names come in no order.
fn sorted(answer: Answer) -> Answer {
    answer.map(|reply| match reply {
        Reply::Names(mut names) => {
            names.sort_unstable();
            Reply::Names(names)
        }
        Reply::NamesAndStat(mut names, stat) => {
            names.sort_unstable();
            Reply::NamesAndStat(names, stat)
        }
        Reply::Reads(parts) => Reply::Reads(parts.into_iter().map(sorted).collect()),
        other => other,
    })
}
