use jute::ErrorCode;
use jute::data::{Acl, Stat};

use super::{Expected, NodeData, Payload};
use crate::session::{Reply, Request, WritePart};
use crate::shell::call::Call;
use crate::shell::client::{Client, nothing, pick};
use crate::shell::error::Error;

impl Client {
    /// Deletes a node that has no children.
    ///
    /// Cancellation: see [`Call`]; what was sent may delete the node.
    pub fn delete(&self, path: &str, expected: impl Into<Expected>) -> Call<()> {
        let version = expected.into().on_wire();
        let path = self.full(path);
        let request = path.map(|path| Request::Write(WritePart::Delete { path, version }));
        self.call(request, nothing)
    }

    /// The Stat of a node; `None` if there is no such node.
    ///
    /// Cancellation: see [`Call`].
    pub fn exists(&self, path: &str) -> Call<Option<Stat>> {
        let watch = false;
        let request = self.full(path).map(|path| Request::Exists { path, watch });
        self.call(request, |answer, _| existing(answer.outcome))
    }

    /// The data and Stat of a node.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_data(&self, path: &str) -> Call<NodeData> {
        let watch = false;
        let request = self.full(path).map(|path| Request::GetData { path, watch });
        self.call(request, |answer, _| node_data(answer.outcome))
    }

    /// Writes the data of a node; the Stat after it.
    ///
    /// Cancellation: see [`Call`]; what was sent may change the node.
    pub fn set_data(
        &self,
        path: &str,
        data: impl Into<Payload>,
        expected: impl Into<Expected>,
    ) -> Call<Stat> {
        let (data, version) = (data.into().0, expected.into().on_wire());
        let request = self.full(path).map(|path| {
            Request::Write(WritePart::SetData {
                path,
                data,
                version,
            })
        });
        self.call(request, |answer, _| stat(answer.outcome))
    }

    /// The names of a node's children, in no order.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_children(&self, path: &str) -> Call<Vec<String>> {
        let watch = false;
        let request = self.full(path);
        let request = request.map(|path| Request::GetChildren { path, watch });
        self.call(request, |answer, _| names(answer.outcome))
    }

    /// The names of a node's children, in no order, and its Stat.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_children_and_stat(&self, path: &str) -> Call<(Vec<String>, Stat)> {
        let watch = false;
        let request = self.full(path);
        let request = request.map(|path| Request::GetChildren2 { path, watch });
        self.call(request, |answer, _| names_and_stat(answer.outcome))
    }

    /// The access control list of a node, and its Stat.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_acl(&self, path: &str) -> Call<(Vec<Acl<'static>>, Stat)> {
        let request = self.full(path).map(|path| Request::GetAcl { path });
        self.call(request, |answer, _| {
            pick(answer.outcome, |reply| match reply {
                Reply::Acl(acl, stat) => Some((acl, stat)),
                _ => None,
            })
        })
    }

    /// Writes the access control list of a node; the Stat after it. The version expected is
    /// that of the list, `aversion`.
    ///
    /// Cancellation: see [`Call`]; what was sent may change the list.
    pub fn set_acl(
        &self,
        path: &str,
        acl: Vec<Acl<'static>>,
        expected: impl Into<Expected>,
    ) -> Call<Stat> {
        let version = expected.into().on_wire();
        let request = self.full(path);
        let request = request.map(|path| Request::SetAcl { path, acl, version });
        self.call(request, |answer, _| stat(answer.outcome))
    }

    /// The paths of this session's ephemerals that begin with `prefix`, which is compared as
    /// text. Needs a server of 3.6 or later.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_ephemerals(&self, prefix: &str) -> Call<Vec<String>> {
        let request = self.root().full_prefix(prefix);
        let request = request.map(|prefix| Request::GetEphemerals { prefix });
        self.call(request, |answer, root| {
            let paths = names(answer.outcome)?;
            let seen = paths.iter().filter_map(|path| root.seen(path));
            Ok(seen.map(str::to_owned).collect())
        })
    }

    /// How many nodes there are below a node, at any depth. Needs a server of 3.6 or later.
    ///
    /// Cancellation: see [`Call`].
    pub fn get_all_children_number(&self, path: &str) -> Call<u32> {
        let request = self.full(path);
        let request = request.map(|path| Request::GetAllChildrenNumber { path });
        self.call(request, |answer, _| {
            pick(answer.outcome, |reply| match reply {
                Reply::Count(count) => u32::try_from(count).ok(),
                _ => None,
            })
        })
    }

    /// Waits until the server has applied all that was committed when the leader took this
    /// call: a read made after it (its answer need not be waited for) sees all of that.
    ///
    /// Cancellation: see [`Call`].
    pub fn sync(&self, path: &str) -> Call<()> {
        let request = self.full(path).map(|path| Request::Sync { path });
        self.call(request, nothing)
    }
}

pub(super) fn existing(outcome: Result<Reply, Error>) -> Result<Option<Stat>, Error> {
    match stat(outcome) {
        Ok(stat) => Ok(Some(stat)),
        Err(Error::Refused(ErrorCode::NoNode)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn stat(outcome: Result<Reply, Error>) -> Result<Stat, Error> {
    pick(outcome, |reply| match reply {
        Reply::Stat(stat) => Some(stat),
        _ => None,
    })
}

pub(super) fn node_data(outcome: Result<Reply, Error>) -> Result<NodeData, Error> {
    pick(outcome, |reply| match reply {
        Reply::Data(data, stat) => Some(NodeData { data, stat }),
        _ => None,
    })
}

fn names(outcome: Result<Reply, Error>) -> Result<Vec<String>, Error> {
    pick(outcome, |reply| match reply {
        Reply::Names(names) => Some(names),
        _ => None,
    })
}

pub(super) fn names_and_stat(outcome: Result<Reply, Error>) -> Result<(Vec<String>, Stat), Error> {
    pick(outcome, |reply| match reply {
        Reply::NamesAndStat(names, stat) => Some((names, stat)),
        _ => None,
    })
}
