//! Who holds what: exclusion by fencing token, by the tree's order and by the clock.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use recipes::{Hold, Loss, Token};
use sim::{Site, Violation};
use tokio::time::{Duration, Instant};

use crate::actor::{Actor, Who};

const NAME: &str = "exclusion";

/// So long after a pause a holder may not know yet that it has lost: its tasks get their turn, but
/// in which order is up to them.
const AWAKE: Duration = Duration::from_millis(5);

/// A holder who counts itself as one.
#[derive(Clone, Debug)]
struct Holder {
    process: usize,
    path: String,
    token: Token,
    is_shared: bool,
    is_paused: bool,
    awake: Instant,
    /// Was it looked at the tree since it holds?
    is_seen: bool,
}

/// Those who hold one thing at present.
#[derive(Debug)]
pub(crate) struct Holders {
    /// So many may at a time.
    most: usize,
    /// The node that they write their tokens to, if they do.
    guarded: Option<&'static str>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    holders: BTreeMap<u64, Holder>,
    /// The largest token of an exclusive holder.
    largest: i64,
    /// Up to which zxid guarded writes were looked at.
    looked: i64,
    /// The largest token that was written.
    written: i64,
}

/// A place among the holders; given up when it is dropped.
pub(crate) struct Holding<'a> {
    holders: &'a Holders,
    number: u64,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.holders.inner.lock().holders.remove(&self.number);
    }
}

/// What a holder may do with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exclusive,
    Shared,
}

impl Holders {
    /// So many may hold it at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            guarded: None,
            inner: Mutex::default(),
        }
    }

    /// One may hold it at a time, and write to this node while it does.
    pub(crate) fn guarding(path: &'static str) -> Self {
        Self {
            guarded: Some(path),
            ..Self::new(1)
        }
    }

    /// An actor holds something from now on.
    pub(crate) fn enter(&self, who: &Who, hold: &Hold, kind: Kind) -> Holding<'_> {
        let mut inner = self.inner.lock();
        inner.last += 1;
        let number = inner.last;
        let holder = Holder {
            process: who.number(),
            path: hold.path().to_owned(),
            token: hold.token(),
            is_shared: kind == Kind::Shared,
            is_paused: false,
            awake: Instant::now(),
            is_seen: false,
        };
        inner.holders.insert(number, holder);
        drop(inner);
        who.count(match kind {
            Kind::Exclusive => "acquired",
            Kind::Shared => "acquired to share",
        });
        Holding {
            holders: self,
            number,
        }
    }

    pub(crate) fn paused(&self, process: usize) {
        self.change(process, |holder| holder.is_paused = true);
    }

    pub(crate) fn resumed(&self, process: usize) {
        self.change(process, |holder| {
            holder.is_paused = false;
            holder.awake = Instant::now() + AWAKE;
        });
    }

    /// Its tasks are gone; what they held is dropped with them, but nobody may have been told.
    pub(crate) fn died(&self, process: usize) {
        let mut inner = self.inner.lock();
        inner.holders.retain(|_, holder| holder.process != process);
    }

    fn change(&self, process: usize, change: impl Fn(&mut Holder)) {
        let mut inner = self.inner.lock();
        let holders = inner.holders.values_mut();
        holders
            .filter(|holder| holder.process == process)
            .for_each(change);
    }

    /// Looks at those who hold it: no more of them than may, and each first in the tree.
    ///
    /// A holder who stands still does not count: it cannot know, which is what tokens are for.
    pub(crate) fn look(&self, site: &Site) -> Result<(), Violation> {
        self.look_at_writes(site)?;
        let most = self.most;
        let mut inner = self.inner.lock();
        let now = Instant::now();
        for number in inner.holders.keys().copied().collect::<Vec<_>>() {
            let Some(holder) = inner.holders.get_mut(&number) else {
                continue;
            };
            if std::mem::replace(&mut holder.is_seen, true) {
                continue;
            }
            let holder = holder.clone();
            // One whose node has gone already will be told.
            if site.node(&holder.path).is_some() && !holder.is_shared && most == 1 {
                if holder.token.0 < inner.largest {
                    return Err(Violation::new(
                        NAME,
                        format!("{holder:?} has a token below {:x}", inner.largest),
                    ));
                }
                inner.largest = holder.token.0;
            }
        }
        let counts = |holder: &&Holder| !holder.is_paused && holder.awake <= now;
        let awake: Vec<_> = inner.holders.values().filter(counts).collect();
        let writes = awake.iter().filter(|holder| !holder.is_shared).count();
        let excess = match writes {
            0 => false,
            1 if most == 1 => awake.len() > 1,
            _ => awake.len() > most,
        };
        if excess && site.clocks_are_true() {
            return Err(Violation::new(
                NAME,
                format!("all of these hold it: {awake:?}"),
            ));
        }
        Ok(())
    }

    /// Looks at what was written with guards: never with an older token than was there.
    fn look_at_writes(&self, site: &Site) -> Result<(), Violation> {
        let Some(guarded) = self.guarded else {
            return Ok(());
        };
        let mut inner = self.inner.lock();
        if site.last_zxid() == inner.looked {
            return Ok(());
        }
        for (zxid, node) in site.versions(guarded) {
            let Some(node) = node.filter(|_| zxid > inner.looked) else {
                continue;
            };
            let token = std::str::from_utf8(node.data).ok();
            let token: i64 = token.and_then(|text| text.parse().ok()).unwrap_or(0);
            if token < inner.written {
                return Err(Violation::new(
                    "fencing",
                    format!(
                        "{zxid:x} is written with token {token:x}, behind {:x}",
                        inner.written
                    ),
                ));
            }
            inner.written = token;
        }
        inner.looked = site.last_zxid();
        Ok(())
    }
}

impl Holders {
    /// Holds for a while, with a guarded write mostly, until it is lost or given up.
    pub(crate) async fn hold(&self, actor: &mut Actor, hold: &Hold, kind: Kind) -> Option<Loss> {
        let holding = self.enter(actor, hold, kind);
        let work_ms = match actor.chance(10) {
            true => actor.rng.between(500..4000),
            false => actor.rng.between(1..150),
        };
        let writes = kind == Kind::Exclusive && self.guarded.is_some() && actor.chance(70);
        let who = actor.who.clone();
        let work = async {
            tokio::time::sleep(Duration::from_millis(work_ms / 2)).await;
            if writes {
                self.write(&who, hold).await;
            }
            tokio::time::sleep(Duration::from_millis(work_ms / 2)).await;
        };
        let loss = tokio::select! {
            biased;
            loss = hold.lost() => Some(loss),
            () = work => None,
        };
        drop(holding);
        if let Some(loss) = loss {
            actor.does(format!("has lost {}: {loss:?}", hold.path()));
            actor.count(&format!("lost: {loss:?}"));
        }
        loss
    }

    /// A guarded write.
    pub(crate) async fn write(&self, who: &Who, hold: &Hold) {
        let Some(guarded) = self.guarded else {
            return;
        };
        let token = hold.token().0.to_string();
        let written = hold.set_data(guarded, token, client::Expected::Any);
        match written.await {
            Ok(_) => who.count("guarded write"),
            Err(error) => {
                who.count("guarded write refused");
                who.tell(|| format!("cannot write: {error}"));
            }
        }
    }

    /// Makes the node for guarded writes, if there are any and it is not there.
    pub(crate) async fn make_guarded(&self, actor: &Actor) -> Result<(), recipes::Error> {
        let Some(guarded) = self.guarded else {
            return Ok(());
        };
        let persistent = client::CreateOptions::persistent();
        match actor.client.create(guarded, "0", &persistent).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(client::ErrorCode::NodeExists) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The node for guarded writes stays.
    pub(crate) fn keeps(&self, path: &str) -> bool {
        self.guarded == Some(path)
    }
}
