use std::fmt;

/// The id of a server: the number in `myid` and behind `server.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub i64);

impl ServerId {
    /// What a server that is no voter proposes in an election: the smallest number, so that
    /// every other proposal beats it.
    pub const NON_VOTER: Self = Self(i64::MIN);
    /// What a server without an id of its own says on the election port. The acceptor gives it
    /// a negative number of its own choice.
    pub const ANONYMOUS: Self = Self(i64::MAX);
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
