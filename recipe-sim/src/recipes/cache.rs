use std::collections::BTreeMap;

use client::{CreateOptions, Expected};
use parking_lot::Mutex;
use recipes::{Cache, Change, Error};
use sim::{Site, Violation};

use super::{ROOT, Trial};
use crate::actor::Actor;

const NAME: &str = "cache";

/// The nodes that are made, written and deleted.
const PATHS: [&str; 9] = [
    "/app",
    "/app/a",
    "/app/b",
    "/app/a/1",
    "/app/a/2",
    "/app/b/1",
    "/app/a/1/x",
    "/app/a/1/y",
    "/app/b/1/z",
];

/// The data and the zxids of a node's making and writing.
type Copy = (Vec<u8>, i64, i64);

/// A copy that is exact, as it says.
#[derive(Debug)]
struct Settled {
    zxid: i64,
    depth: usize,
    nodes: BTreeMap<String, Copy>,
}

/// A tree that all change, and follow by copies of it.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    settled: Mutex<Vec<Settled>>,
}

/// A copy that an actor follows for some rounds.
pub(crate) struct Copied {
    depth: usize,
    cache: Cache,
    rounds_left: u64,
}

impl Copied {
    async fn begin(actor: &mut Actor) -> Result<Self, Error> {
        let depth = [0, 1, usize::MAX, usize::MAX][actor.rng.below(4) as usize];
        let client = &actor.client;
        let cache = match depth {
            0 => Cache::node(client, ROOT).await?,
            1 => Cache::children(client, ROOT).await?,
            _ => Cache::tree(client, ROOT).await?,
        };
        let rounds_left = actor.rng.between(1..12);
        Ok(Self {
            depth,
            cache,
            rounds_left,
        })
    }
}

/// How deep a path is below the root of the copies.
fn depth(path: &str) -> usize {
    path.matches('/').count() - 1
}

impl Caches {
    async fn change_and_follow(&self, actor: &mut Actor, copied: &mut Copied) -> Result<(), Error> {
        let Copied { depth, cache, .. } = copied;
        let depth = *depth;
        let mut last = 0;
        for _ in 0..actor.rng.between(1..4) {
            last = change(actor, depth).await?.max(last);
            if actor.chance(50) {
                actor.idles(30).await;
            }
        }
        if last == 0 {
            // Nothing may have happened, and so nothing be told.
            return Ok(());
        }
        actor.does(format!(
            "waits until the copy is exact at {last:x} or later"
        ));
        loop {
            let before = copies(cache);
            let Some(change) = actor.fated(cache.next()).await.transpose()? else {
                if copies(cache) != before {
                    actor.violates(NAME, "a change without telling");
                }
                return Ok(());
            };
            actor.tell(|| format!("{change:?}"));
            told(actor, &change, &before, &copies(cache));
            let Change::Settled(zxid) = change else {
                continue;
            };
            actor.count("copy is exact");
            let nodes = copies(cache);
            self.settled.lock().push(Settled { zxid, depth, nodes });
            if zxid >= last {
                actor.got_on();
                return Ok(());
            }
        }
    }
}

/// Changes something; the zxid of that, 0 if nothing is known of it, or copies of this depth do
/// not have it.
async fn change(actor: &mut Actor, copied: usize) -> Result<i64, Error> {
    let path = *actor.rng.pick(&PATHS);
    let data = actor.rng.next_u64().to_be_bytes();
    let persistent = CreateOptions::persistent();
    let client = actor.client.clone();
    let outcome = match actor.rng.below(5) {
        0 | 1 => {
            let call = client.create(path, &data[..], &persistent);
            call.with_zxid().await.map(|(_, zxid)| zxid)
        }
        2 | 3 => {
            let call = client.set_data(path, &data[..], Expected::Any);
            call.with_zxid().await.map(|(_, zxid)| zxid)
        }
        _ => {
            let call = client.delete(path, Expected::Any);
            call.with_zxid().await.map(|(_, zxid)| zxid)
        }
    };
    match outcome {
        Ok(zxid) if depth(path) <= copied => Ok(zxid),
        Ok(_) => Ok(0),
        Err(error) if error.is_session_end() => Err(error.into()),
        Err(_) => Ok(0),
    }
}

fn copies(cache: &Cache) -> BTreeMap<String, Copy> {
    let nodes = cache.nodes().iter().map(|(path, node)| {
        let data = node.data.clone().unwrap_or_default();
        (path.clone(), (data, node.stat.czxid, node.stat.mzxid))
    });
    nodes.collect()
}

/// Only what is told has changed, and nothing has gone back.
fn told(
    actor: &Actor,
    change: &Change,
    before: &BTreeMap<String, Copy>,
    after: &BTreeMap<String, Copy>,
) {
    let (path, fits) = match change {
        Change::Created(path) => (path, !before.contains_key(path) && after.contains_key(path)),
        Change::Deleted(path) => (path, before.contains_key(path) && !after.contains_key(path)),
        Change::Changed(path) => {
            let mzxid = |nodes: &BTreeMap<String, Copy>| nodes.get(path).map(|copy| copy.2);
            (
                path,
                mzxid(before).is_some() && mzxid(before) < mzxid(after),
            )
        }
        Change::Settled(_) | Change::Disconnected => {
            if before != after {
                actor.violates(NAME, format!("{change:?} changes the copy"));
            }
            return;
        }
    };
    let others = |nodes: &BTreeMap<String, Copy>| {
        let mut nodes = nodes.clone();
        nodes.remove(path);
        nodes
    };
    if !fits || others(before) != others(after) {
        actor.violates(NAME, format!("{change:?} from {before:?} to {after:?}"));
    }
}

impl Trial for Caches {
    type Own = Option<Copied>;

    async fn begin(&self, _: &Actor) -> Result<Self::Own, Error> {
        Ok(None)
    }

    async fn round(&self, actor: &mut Actor, copied: &mut Self::Own) -> Result<(), Error> {
        let copied = match copied {
            Some(copied) if copied.rounds_left > 0 => copied,
            _ => {
                *copied = None;
                copied.insert(Copied::begin(actor).await?)
            }
        };
        copied.rounds_left -= 1;
        self.change_and_follow(actor, copied).await
    }

    /// An exact copy is the tree as it was then.
    fn look(&self, site: &Site) -> Result<(), Violation> {
        for settled in self.settled.lock().drain(..) {
            let there = PATHS
                .into_iter()
                .filter(|path| depth(path) <= settled.depth);
            let nodes = there.filter_map(|path| {
                let node = site.node_at(path, settled.zxid)?;
                Some((
                    path.to_owned(),
                    (node.data.to_vec(), node.czxid, node.mzxid),
                ))
            });
            let nodes: BTreeMap<_, _> = nodes.collect();
            if nodes != settled.nodes {
                let text = format!("{settled:x?}, the tree was {nodes:x?}");
                return Err(Violation::new(NAME, text));
            }
        }
        Ok(())
    }

    fn keeps(&self, path: &str) -> bool {
        PATHS.contains(&path)
    }
}
