use std::task::Poll;
use std::time::Duration;

use recipes::{Error, MultiMutex, Mutex};

use super::Trial;
use super::holders::{Holders, Kind};
use crate::actor::Actor;

const PATHS: [&str; 3] = ["/app/a", "/app/b", "/app/c"];

/// Three mutexes, of which each wants some at a time, in the same order.
#[derive(Debug)]
pub(crate) struct Multis {
    holders: [Holders; 3],
}

impl Default for Multis {
    fn default() -> Self {
        Self {
            holders: PATHS.map(|_| Holders::new(1)),
        }
    }
}

impl Trial for Multis {
    type Own = ();

    async fn begin(&self, _: &Actor) -> Result<(), Error> {
        Ok(())
    }

    async fn round(&self, actor: &mut Actor, (): &mut ()) -> Result<(), Error> {
        let wanted: Vec<usize> = (0..PATHS.len()).filter(|_| actor.chance(70)).collect();
        actor.does(format!("acquires {wanted:?}"));
        let mutexes = wanted
            .iter()
            .map(|at| Mutex::new(&actor.client, PATHS[*at]));
        let multi = MultiMutex::new(mutexes);
        let guards = if actor.is_faulty() && actor.chance(15) {
            let tried = actor.fated(multi.try_acquire()).await;
            tried.transpose()?.flatten()
        } else {
            actor.fated(multi.acquire()).await.transpose()?
        };
        let Some(guards) = guards else {
            return Ok(());
        };
        actor.does(format!("holds {wanted:?}"));
        let holding: Vec<_> = guards
            .iter()
            .zip(&wanted)
            .map(|(guard, at)| self.holders[*at].enter(actor, guard, Kind::Exclusive))
            .collect();
        // All of them are given up when one is lost.
        let mut losses: Vec<_> = guards.iter().map(|guard| Box::pin(guard.lost())).collect();
        let lost = std::future::poll_fn(|context| {
            for loss in &mut losses {
                if loss.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        });
        let work = Duration::from_millis(actor.rng.between(1..300));
        if tokio::time::timeout(work, lost).await.is_ok() {
            actor.count("lost one of several");
        }
        drop(losses);
        drop(holding);
        actor.does("releases");
        if let Some(released) = actor.fated(guards.release()).await {
            released?;
        }
        actor.got_on();
        Ok(())
    }

    fn holders(&self) -> &[Holders] {
        &self.holders
    }
}
