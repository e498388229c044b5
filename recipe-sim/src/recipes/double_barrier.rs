use std::collections::BTreeMap;

use parking_lot::Mutex;
use recipes::{DoubleBarrier, Error};
use sim::{Site, Violation};

use super::{ROOT, Trial};
use crate::actor::Actor;
use crate::board::Phase;

const NAME: &str = "double barrier";

/// So many go in together; there are always so many processes.
const MEMBERS: usize = 2;

/// What actors have seen.
#[derive(Debug)]
enum Seen {
    /// This member is inside.
    Entered { member: String },
    /// It has left, and was told that all others have.
    Left { member: String },
}

/// A double barrier that all go through, again and again.
#[derive(Debug, Default)]
pub(crate) struct DoubleBarriers {
    seen: Mutex<Vec<Seen>>,
    /// With which transaction the barrier had opened for members inside who were there before.
    opened: Mutex<BTreeMap<String, i64>>,
}

fn parts(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or_default()
}

/// The members that were there after a transaction.
fn members(site: &Site, zxid: i64) -> Vec<String> {
    let mut children = site.children_at(ROOT, zxid);
    children.retain(|name| name != "ready");
    children
}

/// Nobody is inside without so many others having come at the same time: since the member's node
/// was made, or, if it came late, while those inside had theirs.
fn entered(site: &Site, member: &str) -> Result<(), Violation> {
    let Some(made) = site.versions(member).map(|(zxid, _)| zxid).next() else {
        return Err(Violation::new(NAME, format!("{member} was never there")));
    };
    // Since when somebody has been there without a break.
    let changes: Vec<i64> = site.changes_below(ROOT);
    let before = changes.iter().rev().filter(|zxid| **zxid <= made);
    let since = before
        .copied()
        .take_while(|zxid| !members(site, *zxid).is_empty())
        .last();
    let mut after = changes.into_iter().filter(|zxid| Some(*zxid) >= since);
    if !after.any(|zxid| members(site, zxid).len() >= MEMBERS) {
        return Err(Violation::new(NAME, format!("{member} is inside alone")));
    }
    Ok(())
}

/// With which transaction the barrier opened for a member that was there by then.
fn opened(site: &Site, member: &str) -> Option<i64> {
    let (made, _) = site.versions(member).next()?;
    let path = format!("{ROOT}/ready");
    let mut ready = site.versions(&path);
    let found = ready.find(|(zxid, node)| *zxid > made && node.is_some());
    found.map(|(zxid, _)| zxid)
}

/// Whoever was there when the barrier opened for a member has gone by now.
fn left(site: &Site, member: &str, opened: i64) -> Result<(), Violation> {
    let own = parts(member);
    let mut others = members(site, opened).into_iter();
    let inside = others.find(|name| name != own && site.node(&format!("{ROOT}/{name}")).is_some());
    match inside {
        Some(other) => Err(Violation::new(
            NAME,
            format!("{member} has left, {other} is still inside since {opened:x}"),
        )),
        None => Ok(()),
    }
}

impl Trial for DoubleBarriers {
    type Own = DoubleBarrier;

    async fn begin(&self, actor: &Actor) -> Result<Self::Own, Error> {
        Ok(DoubleBarrier::new(&actor.client, ROOT, MEMBERS))
    }

    async fn round(&self, actor: &mut Actor, barrier: &mut DoubleBarrier) -> Result<(), Error> {
        actor.does("comes");
        let board = actor.board.clone();
        let entering = async {
            tokio::select! {
                biased;
                inside = barrier.enter() => inside.map(Some),
                // Nobody else may come.
                () = board.until(Phase::Over) => Ok(None),
            }
        };
        let entered = actor.fated(entering).await.transpose()?;
        let Some(inside) = entered.flatten() else {
            return Ok(());
        };
        let member = inside.path().to_owned();
        actor.does(format!("is inside as {member}"));
        actor.count("entered");
        self.seen.lock().push(Seen::Entered {
            member: member.clone(),
        });
        actor.idles(300).await;
        if actor.is_faulty() && actor.chance(10) {
            actor.does("vanishes");
            return Ok(());
        }
        actor.does("leaves");
        if let Some(left) = actor.fated(inside.leave()).await {
            left?;
            actor.does("has left, with all others");
            self.seen.lock().push(Seen::Left { member });
            actor.got_on();
        }
        Ok(())
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        for seen in self.seen.lock().drain(..) {
            match seen {
                Seen::Entered { member } => {
                    entered(site, &member)?;
                    if let Some(zxid) = opened(site, &member) {
                        self.opened.lock().insert(member, zxid);
                    }
                }
                Seen::Left { member } => {
                    if let Some(zxid) = self.opened.lock().remove(&member) {
                        left(site, &member, zxid)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// `ready` may outlive its members until somebody comes again.
    fn keeps(&self, path: &str) -> bool {
        path == ROOT || path.strip_prefix(ROOT) == Some("/ready")
    }
}
