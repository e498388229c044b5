use thiserror::Error as ThisError;

/// Why a recipe did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// What the client reports. After an end of the session nothing is held any more.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// Somebody else has deleted the node that stood for this contender.
    #[error("the node of this contender was deleted: {0}")]
    Deleted(String),
    /// The parent was deleted again and again while a node was to be made in it.
    #[error("cannot keep the parent node {0}: it is deleted again and again")]
    ParentDeleted(String),
    /// The node of a counter holds something else.
    #[error("the data of {0} are not a number of this counter's format")]
    NotANumber(String),
    /// The sum does not fit the format of the counter. Nothing was written.
    #[error("the number does not fit the format of the counter {0}")]
    Overflow(String),
    /// An entry of a queue was read, and then may have been removed, by this call or by somebody
    /// else who has it now: the answer to its deletion was lost.
    #[error("the entry {path} of the queue may have been taken")]
    TakenPerhaps {
        /// The entry's path.
        path: String,
        /// The entry's data, as they are in its node.
        data: Vec<u8>,
    },
    /// An entry of a queue does not hold items of Curator's format. It was removed.
    #[error("the entry {path} of the queue holds no items")]
    NoItems {
        /// The path that the entry had.
        path: String,
        /// The entry's data.
        data: Vec<u8>,
    },
    /// The queue was made without a lock path, and its entries cannot be held.
    #[error("the queue has no lock path")]
    NoLockPath,
    /// A priority of kazoo's queues is 0 to 999.
    #[error("{0} is no priority of 0 to 999")]
    NoPriority(u16),
    /// An id of an entry is not empty.
    #[error("the id of an entry is empty")]
    EmptyId,
    /// The data of a node that should be a service's instance are something else.
    #[error("the data of {path} are not an instance: {reason}")]
    NotAnInstance {
        /// The node.
        path: String,
        /// What is wrong with its data.
        reason: String,
    },
    /// The client's watches at this path were removed.
    #[error("the watches at {0} were removed")]
    Unwatched(String),
    /// The runtime in which the recipe was used first is gone, and its clean-up with it.
    #[error("the runtime of this recipe has ended")]
    RuntimeEnded,
    /// The operating system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

impl Error {
    /// Whether the session is over: a new one is needed to go on.
    #[must_use]
    pub fn is_session_end(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_session_end())
    }
}
