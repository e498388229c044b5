use std::ops::Deref;

use client::{Client, ErrorCode};

use crate::Error;
use crate::contend::{Arena, Claim, Hold, Label, Mode, Naming, NodeName, Verdict};
use crate::retry;

const LATCH: Label = Label::exclusive("latch-");
const LABELS: &[Label] = &[LATCH];

/// An election among those who stand for it; who leads, leads until it gives up or is lost.
///
/// Interoperates with Curator's `LeaderLatch`. kazoo's `Election` is another: see
/// [`crate::LeaderSelector`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let latch = recipes::LeaderLatch::new(&client, "/election", "host-1");
/// let candidate = latch.stand().await?;
/// let leadership = candidate.elected().await?;
/// assert_eq!(latch.leader().await?.as_deref(), Some("host-1"));
/// leadership.resign().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LeaderLatch {
    arena: Arena,
    id: String,
}

/// Stands for the election. Dropping it gives that up, in the background.
#[derive(Debug)]
pub struct Candidate {
    arena: Arena,
    claim: Claim,
}

/// Leads. See [`Hold`].
#[derive(Debug)]
pub struct Leadership {
    hold: Hold,
}

impl Deref for Leadership {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.hold
    }
}

impl Leadership {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold }
    }

    /// Gives the leadership up, and waits until another one can have it. Cancellation: it is
    /// given up in the background.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn resign(self) -> Result<(), Error> {
        self.hold.release().await
    }
}

impl Candidate {
    /// Waits to be elected. Cancellation: the candidature is given up, in the background.
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn elected(self) -> Result<Leadership, Error> {
        let hold = self.arena.wait(self.claim, Mode::Exclusive).await?;
        Ok(Leadership { hold })
    }

    /// Whether it would be elected at once.
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn is_first(&self) -> Result<bool, Error> {
        let verdict = self.arena.verdict(&self.claim, Mode::Exclusive).await?;
        Ok(verdict == Verdict::First)
    }

    /// Stands no longer.
    ///
    /// # Errors
    /// As [`Hold::release`].
    pub async fn withdraw(self) -> Result<(), Error> {
        self.claim.withdraw().await
    }
}

impl LeaderLatch {
    /// The election of this directory. `id` tells others who this is.
    #[must_use]
    pub fn new(client: &Client, path: &str, id: &str) -> Self {
        Self {
            arena: Arena::new(client, path, LABELS),
            id: id.to_owned(),
        }
    }

    /// Stands for the election, behind those who do already. Cancellation: stands no longer; the
    /// node is deleted in the background.
    ///
    /// # Errors
    /// As [`crate::Mutex::acquire`].
    pub async fn stand(&self) -> Result<Candidate, Error> {
        let name = NodeName::sequential(Naming::Curator, LATCH);
        let claim = self.arena.enter(name, self.id.as_bytes()).await?;
        let arena = self.arena.clone();
        Ok(Candidate { arena, claim })
    }

    /// The ids of those who stand, the leader first.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn participants(&self) -> Result<Vec<String>, Error> {
        ids(&self.arena).await
    }

    /// The id of who leads, or is about to.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn leader(&self) -> Result<Option<String>, Error> {
        Ok(self.participants().await?.into_iter().next())
    }
}

/// What the nodes of contenders say of them, in their order.
pub(crate) async fn ids(arena: &Arena) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for path in arena.contender_paths().await? {
        match retry::answered(&arena.client, || arena.client.get_data(&path)).await {
            Ok(node) => {
                let data = node.data.unwrap_or_default();
                ids.push(String::from_utf8_lossy(&data).into_owned());
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ids)
}
