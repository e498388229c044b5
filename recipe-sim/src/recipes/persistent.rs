use std::time::Duration;

use client::Expected;
use parking_lot::Mutex;
use recipes::{Error, NodeKind, PersistentNode, PersistentTtlNode, TtlOptions};
use sim::{Site, Violation};

use super::Trial;
use super::gone::Gone;
use crate::actor::Actor;

const NAME: &str = "persistent node";

/// These data were written, as an actor was told.
#[derive(Debug)]
struct Written {
    path: String,
    data: String,
}

/// Nodes that are made again when they go: one for each actor.
#[derive(Debug)]
pub(crate) struct Nodes {
    has_ttl: bool,
    written: Mutex<Vec<Written>>,
    closed: Gone,
}

impl Nodes {
    pub(crate) fn ephemeral() -> Self {
        Self::new(false)
    }

    pub(crate) fn ttl() -> Self {
        Self::new(true)
    }

    fn new(has_ttl: bool) -> Self {
        Self {
            has_ttl,
            written: Mutex::default(),
            closed: Gone::new(NAME),
        }
    }

    async fn keep(&self, actor: &mut Actor) -> Result<(), Error> {
        let path = format!("/app-{}", actor.number());
        actor.does("makes the node");
        let kind = match actor.chance(30) {
            true => NodeKind::EphemeralSequential,
            false => NodeKind::Ephemeral,
        };
        let client = actor.client.clone();
        let creating = PersistentNode::create(&client, &path, kind, "first");
        let Some(node) = actor.fated(creating).await.transpose()? else {
            return Ok(());
        };
        for _ in 0..actor.rng.between(1..4) {
            let token = node.token();
            if actor.chance(60) {
                actor.does(format!("deletes {}, and waits for it", node.path()));
                match node.client().delete(&node.path(), Expected::Any).await {
                    Ok(()) => {
                        node.made_after(token).await?;
                        actor.count("made again");
                    }
                    Err(error) if error.is_session_end() => {}
                    Err(_) => actor.count("not deleted"),
                }
            }
            let data = format!("{:x}", actor.rng.next_u64());
            actor.does(format!("writes {data}"));
            if let Some(written) = actor.fated(node.set_data(data.clone())).await {
                written?;
                let path = node.path();
                self.written.lock().push(Written { path, data });
                actor.got_on();
            }
            actor.idles(500).await;
        }
        if actor.is_faulty() && actor.chance(30) {
            actor.does("drops the node");
            return Ok(());
        }
        actor.does("closes the node");
        // It may be in a session of its own.
        let (client, path) = (node.client(), node.path());
        if let Some(closed) = actor.fated(node.close()).await {
            closed?;
            self.closed.told(&client, path);
        }
        Ok(())
    }

    async fn keep_ttl(&self, actor: &mut Actor) -> Result<(), Error> {
        let path = format!("/app-{}", actor.number());
        let ttl = Duration::from_millis(actor.rng.between(1000..4000));
        actor.does(format!("makes a node that lives on for {ttl:?}"));
        let client = actor.client.clone();
        let options = TtlOptions::new(ttl);
        let creating = PersistentTtlNode::create(&client, &path, &options, "first");
        let Some(node) = actor.fated(creating).await.transpose()? else {
            return Ok(());
        };
        for _ in 0..actor.rng.between(1..4) {
            actor.idles(3000).await;
            let data = format!("{:x}", actor.rng.next_u64());
            actor.does(format!("writes {data}"));
            if let Some(written) = actor.fated(node.set_data(data.clone())).await {
                written?;
                let path = path.clone();
                self.written.lock().push(Written { path, data });
                actor.got_on();
            }
        }
        actor.does("leaves the node");
        Ok(())
    }
}

impl Trial for Nodes {
    type Own = ();

    async fn begin(&self, _: &Actor) -> Result<(), Error> {
        Ok(())
    }

    async fn round(&self, actor: &mut Actor, (): &mut ()) -> Result<(), Error> {
        match self.has_ttl {
            true => self.keep_ttl(actor).await,
            false => self.keep(actor).await,
        }
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        for written in self.written.lock().drain(..) {
            let data = Some(written.data.as_bytes());
            let mut versions = site.versions(&written.path);
            if !versions.any(|(_, node)| node.map(|node| node.data) == data) {
                let text = format!("{written:?}, and the tree says otherwise");
                return Err(Violation::new(NAME, text));
            }
        }
        self.closed.look(site)
    }
}
