use std::time::{Duration, SystemTime};

use recipes::{Discovery, Error, ServiceInstance};
use sim::{Site, Violation};

use super::gone::Gone;
use super::{ROOT, Trial};
use crate::actor::Actor;

const SERVICE: &str = "web";

/// A service that all offer and look for.
#[derive(Debug)]
pub(crate) struct Discoveries {
    /// Nodes of instances that are no longer registered.
    gone: Gone,
}

impl Default for Discoveries {
    fn default() -> Self {
        Self {
            gone: Gone::new("discovery"),
        }
    }
}

impl Trial for Discoveries {
    type Own = ();

    async fn begin(&self, _: &Actor) -> Result<(), Error> {
        Ok(())
    }

    async fn round(&self, actor: &mut Actor, (): &mut ()) -> Result<(), Error> {
        let discovery: Discovery<u32> = Discovery::new(&actor.client, ROOT);
        let id = actor.process.name();
        let payload = actor.rng.below(1000) as u32;
        let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let instance = ServiceInstance::new(SERVICE, id.clone(), begun).payload(payload);
        let mut cache = discovery.cache(SERVICE).await?;
        actor.does("registers");
        let registering = actor.fated(discovery.register(&instance)).await;
        let Some(registration) = registering.transpose()? else {
            return Ok(());
        };
        actor.does("waits until it finds itself");
        let found = async {
            loop {
                cache.settled().await?;
                if cache
                    .get(&id)
                    .is_some_and(|seen| seen.payload == Some(payload))
                {
                    return Ok::<_, Error>(());
                }
                cache.next().await?;
            }
        };
        if actor.fated(found).await.transpose()?.is_some() {
            actor.count("found");
            actor.got_on();
        }
        actor.idles(300).await;
        if actor.is_faulty() && actor.chance(20) {
            actor.does("drops its registration");
            return Ok(());
        }
        actor.does("unregisters");
        let path = registration.path();
        if let Some(done) = actor.fated(registration.unregister()).await {
            done?;
            self.gone.told(&actor.client, path);
        }
        Ok(())
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        self.gone.look(site)
    }
}
