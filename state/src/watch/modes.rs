//! In which ways one connection watches one path, in both tables, as bits.

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Data,
    Child,
}

impl Table {
    /// All ways to stand in this table.
    pub(super) fn every(self) -> Modes {
        match self {
            Self::Data => Modes::IN_DATA,
            Self::Child => Modes::IN_CHILD,
        }
    }

    /// The one that an event uses up.
    pub(super) fn standard(self) -> Modes {
        match self {
            Self::Data => Modes::DATA,
            Self::Child => Modes::CHILD,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes(u8);

impl Modes {
    pub(super) const NONE: Self = Self(0);
    pub(super) const DATA: Self = Self(1);
    pub(super) const CHILD: Self = Self(2);
    pub(super) const DATA_PERSISTENT: Self = Self(4);
    pub(super) const CHILD_PERSISTENT: Self = Self(8);
    /// Stands in the data table only, so such a watch never reports changed children.
    pub(super) const RECURSIVE: Self = Self(16);
    pub(super) const PERSISTENT: Self = Self(Self::DATA_PERSISTENT.0 | Self::CHILD_PERSISTENT.0);
    pub(super) const IN_DATA: Self =
        Self(Self::DATA.0 | Self::DATA_PERSISTENT.0 | Self::RECURSIVE.0);
    pub(super) const IN_CHILD: Self = Self(Self::CHILD.0 | Self::CHILD_PERSISTENT.0);
    pub(super) const EVERY: Self = Self(Self::IN_DATA.0 | Self::IN_CHILD.0);

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    pub(super) fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub(super) fn without(self, gone: Self) -> Self {
        Self(self.0 & !gone.0)
    }
}
