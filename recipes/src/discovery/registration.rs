use client::Client;
use serde::Serialize;

use super::{ServiceInstance, ServiceType, json};
use crate::contend::join;
use crate::{Error, NodeKind, PersistentNode, Token};

/// An instance that is registered as long as this lives. It is a [`PersistentNode`]: made anew when
/// it is deleted, or its session is lost.
///
/// Dropping it removes the instance in the background. One that does not go with its session stays
/// if the runtime or the session ends before.
#[derive(Debug)]
pub struct Registration {
    node: PersistentNode,
    name: String,
    id: String,
    class: Option<String>,
}

impl Registration {
    pub(super) async fn new<P: Serialize>(
        client: &Client,
        service: &str,
        instance: &ServiceInstance<P>,
        class: Option<&str>,
    ) -> Result<Self, Error> {
        let kind = match instance.service_type {
            ServiceType::Dynamic => NodeKind::Ephemeral,
            ServiceType::DynamicSequential => NodeKind::EphemeralSequential,
            ServiceType::Static | ServiceType::Permanent => NodeKind::Persistent,
        };
        let path = join(service, &instance.id);
        let data = encoded(&path, instance, class)?;
        Ok(Self {
            node: PersistentNode::create(client, &path, kind, data).await?,
            name: instance.name.clone(),
            id: instance.id.clone(),
            class: class.map(str::to_owned),
        })
    }

    /// The path of the node.
    #[must_use]
    pub fn path(&self) -> String {
        self.node.path()
    }

    /// The zxid of the transaction that made the node, the last time it was made.
    #[must_use]
    pub fn token(&self) -> Token {
        self.node.token()
    }

    /// Waits until the node was made after the time that this token tells of.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`PersistentNode::made_after`].
    pub async fn made_after(&self, token: Token) -> Result<Token, Error> {
        self.node.made_after(token).await
    }

    /// Says something else of the instance: the same name and id, and a type with the same kind of
    /// node, which is not made anew.
    ///
    /// Cancellation: it is said nevertheless.
    ///
    /// # Errors
    /// As [`PersistentNode::set_data`]; [`Error::NotAnInstance`] if it is another instance, or
    /// has a payload that cannot be written as JSON.
    pub async fn update<P: Serialize>(&self, instance: &ServiceInstance<P>) -> Result<(), Error> {
        let path = self.path();
        if (&instance.name, &instance.id) != (&self.name, &self.id) {
            let reason = format!("it is {} of {}", instance.id, instance.name);
            return Err(Error::NotAnInstance { path, reason });
        }
        let data = encoded(&path, instance, self.class.as_deref())?;
        self.node.set_data(data).await
    }

    /// Removes the instance, and waits until that is done.
    ///
    /// Cancellation: it is removed in the background.
    ///
    /// # Errors
    /// As [`PersistentNode::close`].
    pub async fn unregister(self) -> Result<(), Error> {
        self.node.close().await
    }
}

fn encoded<P: Serialize>(
    path: &str,
    instance: &ServiceInstance<P>,
    class: Option<&str>,
) -> Result<Vec<u8>, Error> {
    json::encode(instance, class).map_err(|error| Error::NotAnInstance {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
