use jute::ErrorCode;
use jute::data::Stat;

use super::{CreateOptions, Created, Expected, NodeData, Payload};
use crate::session::{self, ReadPart, Reply, Request, WritePart};
use crate::shell::call::Call;
use crate::shell::chroot::Chroot;
use crate::shell::client::{Client, pick};
use crate::shell::error::Error;
use crate::shell::shared::Answer;

/// Several writes that happen together or not at all.
#[derive(Debug)]
#[must_use = "nothing happens before it is committed"]
pub struct Multi {
    client: Client,
    parts: Result<Vec<WritePart>, Error>,
}

/// What one write of a multi did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// Created a node.
    Created(Created),
    /// Deleted a node.
    Deleted,
    /// Wrote data; the Stat after it.
    Set(Stat),
    /// Found the version as expected.
    Checked,
}

impl Client {
    /// Begins a multi.
    pub fn multi(&self) -> Multi {
        Multi {
            client: self.clone(),
            parts: Ok(Vec::new()),
        }
    }

    /// Begins a multi of reads. Needs a server of 3.6 or later.
    pub fn multi_read(&self) -> MultiRead {
        MultiRead {
            client: self.clone(),
            parts: Ok(Vec::new()),
        }
    }
}

impl Multi {
    /// Creates a node.
    pub fn create(self, path: &str, data: impl Into<Payload>, options: &CreateOptions) -> Self {
        let data = data.into();
        self.with(|root| options.part(root, path, data))
    }

    /// Deletes a node.
    pub fn delete(self, path: &str, expected: impl Into<Expected>) -> Self {
        let version = expected.into().on_wire();
        self.with(|root| {
            let path = root.full(path)?;
            Ok(WritePart::Delete { path, version })
        })
    }

    /// Writes data.
    pub fn set_data(
        self,
        path: &str,
        data: impl Into<Payload>,
        expected: impl Into<Expected>,
    ) -> Self {
        let (data, version) = (data.into().0, expected.into().on_wire());
        self.with(|root| {
            let path = root.full(path)?;
            Ok(WritePart::SetData {
                path,
                data,
                version,
            })
        })
    }

    /// Demands that a node exists and has this version.
    pub fn check(self, path: &str, expected: impl Into<Expected>) -> Self {
        let version = expected.into().on_wire();
        self.with(|root| {
            let path = root.full(path)?;
            Ok(WritePart::Check { path, version })
        })
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.parts.as_ref().map_or(0, Vec::len)
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends it. One result for each write, in order; or [`Error::MultiFailed`] with the one
    /// that failed. A path that is none fails the whole before anything is sent.
    ///
    /// Cancellation: see [`Call`]; what was sent may happen as a whole.
    pub fn commit(self) -> Call<Vec<WriteResult>> {
        self.client.call(self.parts.map(Request::Multi), written)
    }

    fn with(mut self, part: impl FnOnce(&Chroot) -> Result<WritePart, Error>) -> Self {
        if let Ok(parts) = &mut self.parts {
            match part(self.client.root()) {
                Ok(part) => parts.push(part),
                Err(error) => self.parts = Err(error),
            }
        }
        self
    }
}

fn written(answer: Answer, root: &Chroot) -> Result<Vec<WriteResult>, Error> {
    let results = pick(answer.outcome, |reply| match reply {
        Reply::Writes(results) => Some(results),
        _ => None,
    })?;
    // Those around the one that failed say 0 or RuntimeInconsistency.
    let culprit = results.iter().position(|result| {
        let innocent = [0, ErrorCode::RuntimeInconsistency.as_i32()];
        matches!(result, session::WriteResult::Failed(err) if !innocent.contains(err))
    });
    let failed = |result: &_| matches!(result, session::WriteResult::Failed(_));
    let culprit = culprit.or_else(|| results.iter().position(failed));
    if let Some(index) = culprit {
        let session::WriteResult::Failed(err) = results[index] else {
            return Err(Error::UnexpectedAnswer);
        };
        let code = ErrorCode::from_i32(err).ok_or(Error::RefusedUnknown(err))?;
        return Err(Error::MultiFailed { index, code });
    }
    let results = results.into_iter().map(|result| match result {
        session::WriteResult::Created(path, stat) => {
            let path = root.answered(path)?;
            Ok(WriteResult::Created(Created { path, stat }))
        }
        session::WriteResult::Deleted => Ok(WriteResult::Deleted),
        session::WriteResult::Set(stat) => Ok(WriteResult::Set(stat)),
        session::WriteResult::Checked => Ok(WriteResult::Checked),
        session::WriteResult::Failed(_) => Err(Error::UnexpectedAnswer),
    });
    results.collect()
}

/// Several reads that are answered together. Each succeeds or fails for itself.
#[derive(Debug)]
#[must_use = "nothing is read before it is committed"]
pub struct MultiRead {
    client: Client,
    parts: Result<Vec<ReadPart>, Error>,
}

/// What one read of a multi found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// Data and Stat.
    Data(NodeData),
    /// Names of children.
    Children(Vec<String>),
}

impl MultiRead {
    /// Reads data and Stat.
    pub fn get_data(self, path: &str) -> Self {
        self.with(path, ReadPart::GetData)
    }

    /// Reads the names of children.
    pub fn get_children(self, path: &str) -> Self {
        self.with(path, ReadPart::GetChildren)
    }

    /// Sends it. One result for each read, in order.
    ///
    /// Cancellation: see [`Call`].
    pub fn commit(self) -> Call<Vec<Result<ReadResult, Error>>> {
        self.client.call(self.parts.map(Request::MultiRead), read)
    }

    fn with(mut self, path: &str, part: impl FnOnce(String) -> ReadPart) -> Self {
        if let Ok(parts) = &mut self.parts {
            match self.client.full(path) {
                Ok(path) => parts.push(part(path)),
                Err(error) => self.parts = Err(error),
            }
        }
        self
    }
}

fn read(answer: Answer, _: &Chroot) -> Result<Vec<Result<ReadResult, Error>>, Error> {
    let results = pick(answer.outcome, |reply| match reply {
        Reply::Reads(results) => Some(results),
        _ => None,
    })?;
    let results = results.into_iter().map(|result| match result {
        Ok(Reply::Data(data, stat)) => Ok(ReadResult::Data(NodeData { data, stat })),
        Ok(Reply::Names(names)) => Ok(ReadResult::Children(names)),
        Ok(_) => Err(Error::UnexpectedAnswer),
        Err(err) => Err(ErrorCode::from_i32(err).map_or(Error::RefusedUnknown(err), Into::into)),
    });
    Ok(results.collect())
}
