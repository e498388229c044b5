use recipes::{Error, Group, Party, ShallowParty};
use sim::{Site, Violation};

use super::gone::Gone;
use super::{ROOT, Trial};
use crate::actor::Actor;

const NAME: &str = "membership";

/// Groups of three kinds that all join and leave.
#[derive(Debug)]
pub(crate) struct Parties {
    /// Nodes of those who have left.
    left: Gone,
}

impl Default for Parties {
    fn default() -> Self {
        Self {
            left: Gone::new(NAME),
        }
    }
}

impl Parties {
    async fn in_party(&self, actor: &mut Actor) -> Result<(), Error> {
        let name = actor.process.name();
        let shallow = actor.chance(50);
        let party = Party::new(&actor.client, "/app/party");
        let flat = ShallowParty::new(&actor.client, "/app/flat");
        actor.does("joins a party");
        let joined = match shallow {
            true => actor.fated(flat.join(&name)).await,
            false => actor.fated(party.join(&name)).await,
        };
        let Some(membership) = joined.transpose()? else {
            return Ok(());
        };
        actor.does(format!("takes part as {}", membership.path()));
        actor.idles(200).await;
        let members = match shallow {
            true => flat.members().await?,
            false => party.members().await?,
        };
        if !members.contains(&name) && membership.is_held().await? {
            actor.violates(
                NAME,
                format!("{name} takes part, and is none of {members:?}"),
            );
        }
        if actor.is_faulty() && actor.chance(20) {
            actor.does("vanishes from the party");
            return Ok(());
        }
        actor.does("leaves the party");
        let path = membership.path().to_owned();
        if let Some(left) = actor.fated(membership.leave()).await {
            left?;
            self.left.told(&actor.client, path);
            actor.got_on();
        }
        Ok(())
    }

    async fn in_group(&self, actor: &mut Actor) -> Result<(), Error> {
        let name = actor.process.name();
        let group = Group::new(&actor.client, "/app/group");
        actor.does("joins the group");
        let Some(member) = actor.fated(group.join(&name, "here")).await.transpose()? else {
            return Ok(());
        };
        actor.idles(400).await;
        let members = actor.fated(member.members()).await.transpose();
        if let Ok(Some(members)) = members
            && !members.contains_key(&name)
        {
            actor.violates(NAME, format!("{name} is a member, and none of {members:?}"));
        }
        if actor.chance(50)
            && let Some(set) = actor.fated(member.set_payload("still here")).await
        {
            set?;
        }
        actor.does("leaves the group");
        if let Some(left) = actor.fated(member.leave()).await {
            left?;
            let path = format!("/app/group/{name}");
            self.left.told(&actor.client, path);
            actor.got_on();
        }
        Ok(())
    }
}

impl Trial for Parties {
    type Own = ();

    async fn begin(&self, _: &Actor) -> Result<(), Error> {
        Ok(())
    }

    async fn round(&self, actor: &mut Actor, (): &mut ()) -> Result<(), Error> {
        match actor.chance(60) {
            true => self.in_party(actor).await,
            false => self.in_group(actor).await,
        }
    }

    fn look(&self, site: &Site) -> Result<(), Violation> {
        self.left.look(site)
    }

    /// The directories of parties are no containers.
    fn keeps(&self, path: &str) -> bool {
        [ROOT, "/app/party", "/app/flat"].contains(&path)
    }
}
