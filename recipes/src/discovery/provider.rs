use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{InstanceChange, ServiceCache, ServiceInstance};
use crate::Error;

/// Which of several instances is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other.
    RoundRobin,
    /// Any. The same seed takes the same ones, if there are the same.
    Random {
        /// Where the choice starts.
        seed: u64,
    },
    /// The same as before as long as it is there; then another one, by this strategy.
    Sticky(Box<Self>),
}

/// When an instance is passed over because of errors that were reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownPolicy {
    /// From so many errors on it is.
    pub errors_min: u32,
    /// So long after the first of them they are forgotten.
    pub lasts: Duration,
}

impl Default for DownPolicy {
    /// Curator's: two errors, 30 seconds.
    fn default() -> Self {
        Self {
            errors_min: 2,
            lasts: Duration::from_secs(30),
        }
    }
}

/// Takes an instance of a service whenever one is needed, without asking a server.
///
/// A task follows the instances in the background, until this is dropped. Without a connection
/// the instances are those that were known last.
///
/// Does the work of Curator's `ServiceProvider`.
#[derive(Debug)]
pub struct Provider<P> {
    known: watch::Receiver<Known<P>>,
    choice: Mutex<Choice>,
    follower: AbortHandle,
}

type Known<P> = Result<Vec<Arc<ServiceInstance<P>>>, Error>;

/// What has been taken so far, and what has failed.
#[derive(Debug)]
struct Choice {
    picker: Picker,
    policy: DownPolicy,
    /// By the ids of instances that are known.
    errors: BTreeMap<String, Errors>,
}

#[derive(Clone, Copy, Debug)]
struct Errors {
    count: u32,
    first: Instant,
}

#[derive(Debug)]
enum Picker {
    RoundRobin {
        next: usize,
    },
    Random {
        state: u64,
    },
    Sticky {
        id: Option<String>,
        other: Box<Self>,
    },
}

impl<P: DeserializeOwned + Send + Sync + 'static> Provider<P> {
    pub(super) async fn new(
        mut cache: ServiceCache<P>,
        strategy: Strategy,
        policy: DownPolicy,
    ) -> Result<Self, Error> {
        cache.settled().await?;
        let (sender, known) = watch::channel(Ok(all(&cache)));
        let follower = tokio::spawn(follow(cache, sender)).abort_handle();
        Ok(Self {
            known,
            choice: Mutex::new(Choice {
                picker: Picker::from(strategy),
                policy,
                errors: BTreeMap::new(),
            }),
            follower,
        })
    }
}

impl<P> Provider<P> {
    /// An instance that is enabled and not down; `None` if there is no such one.
    ///
    /// # Errors
    /// [`Error::Client`] with the end of the session; [`Error::Unwatched`] if the client's watches
    /// are removed. It is so from then on.
    pub fn pick(&self) -> Result<Option<Arc<ServiceInstance<P>>>, Error> {
        let up = self.instances()?;
        let ids: Vec<_> = up.iter().map(|instance| instance.id.as_str()).collect();
        let picked = self.choice().picker.pick(&ids);
        Ok(picked.map(|index| Arc::clone(&up[index])))
    }

    /// All instances that are enabled and not down.
    ///
    /// # Errors
    /// As [`Provider::pick`].
    pub fn instances(&self) -> Result<Vec<Arc<ServiceInstance<P>>>, Error> {
        let mut instances = self.known.borrow().clone()?;
        let (choice, now) = (self.choice(), Instant::now());
        instances.retain(|instance| instance.enabled && !choice.is_down(&instance.id, now));
        Ok(instances)
    }

    /// Notes that an instance did not do what it should.
    pub fn report_error(&self, instance: &ServiceInstance<P>) {
        let known: Vec<_> = match &*self.known.borrow() {
            Ok(known) => known.iter().map(|known| known.id.clone()).collect(),
            Err(_) => return,
        };
        let (mut choice, now) = (self.choice(), Instant::now());
        let lasts = choice.policy.lasts;
        // So there are never more than instances.
        choice
            .errors
            .retain(|id, errors| now - errors.first < lasts && known.contains(id));
        if known.contains(&instance.id) {
            let none = Errors {
                count: 0,
                first: now,
            };
            let errors = choice.errors.entry(instance.id.clone()).or_insert(none);
            errors.count = errors.count.saturating_add(1);
        }
    }

    fn choice(&self) -> MutexGuard<'_, Choice> {
        // A panic cannot leave it half changed.
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Drop for Provider<P> {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

fn all<P: DeserializeOwned>(cache: &ServiceCache<P>) -> Vec<Arc<ServiceInstance<P>>> {
    cache.instances().cloned().collect()
}

async fn follow<P: DeserializeOwned>(mut cache: ServiceCache<P>, known: watch::Sender<Known<P>>) {
    loop {
        match cache.next().await {
            Ok(InstanceChange::Settled(_) | InstanceChange::Disconnected) => {}
            Ok(_) => {
                drop(known.send_replace(Ok(all(&cache))));
            }
            Err(error) => {
                drop(known.send_replace(Err(error)));
                return;
            }
        }
    }
}

impl Choice {
    fn is_down(&self, id: &str, now: Instant) -> bool {
        let Some(errors) = self.errors.get(id) else {
            return false;
        };
        errors.count >= self.policy.errors_min && now - errors.first < self.policy.lasts
    }
}

impl From<Strategy> for Picker {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::RoundRobin => Self::RoundRobin { next: 0 },
            Strategy::Random { seed } => Self::Random { state: seed },
            Strategy::Sticky(other) => Self::Sticky {
                id: None,
                other: Box::new(Self::from(*other)),
            },
        }
    }
}

impl Picker {
    /// The place of one of them; `None` if there is none.
    fn pick(&mut self, ids: &[&str]) -> Option<usize> {
        if ids.is_empty() {
            return None;
        }
        Some(match self {
            Self::RoundRobin { next } => {
                let index = *next % ids.len();
                *next = index + 1;
                index
            }
            Self::Random { state } => {
                let number = usize::try_from(split_mix(state) >> 32).unwrap_or_default();
                number % ids.len()
            }
            Self::Sticky { id, other } => {
                let before = ids.iter().position(|now| id.as_deref() == Some(now));
                match before {
                    Some(index) => index,
                    None => {
                        let index = other.pick(ids)?;
                        *id = Some(ids[index].to_owned());
                        index
                    }
                }
            }
        })
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(strategy: Strategy, rounds: &[&[&'static str]]) -> Vec<Option<&'static str>> {
        let mut picker = Picker::from(strategy);
        let picks = rounds
            .iter()
            .map(|ids| picker.pick(ids).map(|index| ids[index]));
        picks.collect()
    }

    #[test]
    fn strategies_take_whom_they_should() {
        let all: &[_] = &["a", "b", "c"];
        let round = picks(
            Strategy::RoundRobin,
            &[all, all, all, all, &["a"], &[], all],
        );
        let expected = [
            Some("a"),
            Some("b"),
            Some("c"),
            Some("a"),
            Some("a"),
            None,
            Some("b"),
        ];
        assert_eq!(round, expected);

        let sticky = Strategy::Sticky(Box::new(Strategy::RoundRobin));
        let stays = picks(sticky, &[all, all, &["b", "c"], all, &[], all]);
        let expected = [Some("a"), Some("a"), Some("c"), Some("c"), None, Some("c")];
        assert_eq!(stays, expected);

        let rounds = [all; 300];
        let random = picks(Strategy::Random { seed: 7 }, &rounds);
        assert_eq!(random, picks(Strategy::Random { seed: 7 }, &rounds));
        for id in all {
            let count = random.iter().filter(|picked| **picked == Some(*id)).count();
            assert!((60..140).contains(&count), "{id}: {count} of 300");
        }
    }
}
