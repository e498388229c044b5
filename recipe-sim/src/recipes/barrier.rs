use std::time::Duration;

use parking_lot::Mutex;
use recipes::{Barrier, Error};
use sim::{Site, Violation};

use super::Trial;
use crate::actor::Actor;

const PATH: &str = "/gate";

/// Who has waited for so long removes the barrier.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever waited has gone through.
#[derive(Debug)]
struct Through {
    actor: usize,
    /// What its session had seen when it began to wait.
    from_zxid: i64,
    /// And when it went on.
    to_zxid: i64,
}

/// A barrier that all set, remove, and wait for.
#[derive(Debug, Default)]
pub(crate) struct Barriers {
    through: Mutex<Vec<Through>>,
}

impl Trial for Barriers {
    type Own = Barrier;

    async fn begin(&self, actor: &Actor) -> Result<Self::Own, Error> {
        Ok(Barrier::new(&actor.client, PATH))
    }

    async fn round(&self, actor: &mut Actor, barrier: &mut Barrier) -> Result<(), Error> {
        if actor.chance(60) {
            actor.does("sets the barrier");
            if let Some(set) = actor.fated(barrier.set()).await {
                set?;
            }
            actor.idles(400).await;
            actor.does("removes the barrier");
            if let Some(removed) = actor.fated(barrier.remove()).await {
                removed?;
            }
        }
        actor.does("waits");
        let from_zxid = actor.client.last_zxid();
        let waiting = async {
            let mut waited = std::pin::pin!(barrier.wait());
            if let Ok(waited) = tokio::time::timeout(PATIENCE, &mut waited).await {
                return waited;
            }
            // Whoever has set it may be gone.
            barrier.remove().await?;
            waited.await
        };
        if let Some(waited) = actor.fated(waiting).await {
            waited?;
            actor.does("goes through");
            self.through.lock().push(Through {
                actor: actor.number(),
                from_zxid,
                to_zxid: actor.client.last_zxid(),
            });
            actor.count("went through a barrier");
            actor.got_on();
        }
        Ok(())
    }

    /// At some time while it waited there was no barrier.
    fn look(&self, site: &Site) -> Result<(), Violation> {
        for through in self.through.lock().drain(..) {
            let open_before = site.node_at(PATH, through.from_zxid).is_none();
            let mut later = site.versions(PATH);
            let opened = later.any(|(zxid, node)| {
                node.is_none() && (through.from_zxid..=through.to_zxid).contains(&zxid)
            });
            if !open_before && !opened {
                let text = format!(
                    "p{} went through a barrier that was set from {:x} to {:x}",
                    through.actor, through.from_zxid, through.to_zxid
                );
                return Err(Violation::new("barrier", text));
            }
        }
        Ok(())
    }

    fn keeps(&self, path: &str) -> bool {
        path == PATH
    }
}
