//! Who offers which service.

mod cache;
mod instance;
mod json;
mod provider;
mod registration;
mod uri;

use std::marker::PhantomData;

use client::{Client, ErrorCode, NodeData};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::contend::join;
use crate::retry;
pub use cache::{InstanceChange, ServiceCache};
pub use instance::{ServiceInstance, ServiceType};
pub use provider::{DownPolicy, Provider, Strategy};
pub use registration::Registration;
pub use uri::{UriSpec, UriSpecError};

/// Nodes that are read at a time.
const WINDOW: usize = 256;

/// The services below a node: `PATH/NAME/ID` is an instance of the service `NAME`, and its data
/// tells how to reach it, with a payload of type `P` that is anything serde knows.
///
/// Interoperates with Curator 5's `ServiceDiscovery` and its `JsonInstanceSerializer`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// use std::time::SystemTime;
/// use recipes::{Discovery, DownPolicy, ServiceInstance, Strategy, UriSpec};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Details {
///     zone: String,
/// }
///
/// let discovery = Discovery::new(&client, "/services").payload_class("com.example.Details");
/// let instance = ServiceInstance::new("web", "host-1:8080", SystemTime::now())
///     .address("10.0.0.1")
///     .port(8080)
///     .uri_spec(UriSpec::parse("{scheme}://{address}:{port}")?)
///     .payload(Details { zone: "north".to_owned() });
/// let registration = discovery.register(&instance).await?;
///
/// let provider = discovery.provider("web", Strategy::RoundRobin, DownPolicy::default()).await?;
/// let picked = provider.pick()?.expect("there is one");
/// assert_eq!(picked.uri().as_deref(), Some("http://10.0.0.1:8080"));
/// registration.unregister().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Discovery<P> {
    client: Client,
    path: String,
    class: Option<String>,
    payload: PhantomData<fn() -> P>,
}

impl<P> Clone for Discovery<P> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            path: self.path.clone(),
            class: self.class.clone(),
            payload: PhantomData,
        }
    }
}

impl<P> Discovery<P> {
    /// The services below this node, which is made when it is needed.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            class: None,
            payload: PhantomData,
        }
    }

    /// The Java class of payloads that are written, for readers in Java: Curator makes an object
    /// of it. Without one an object becomes a `java.util.LinkedHashMap`, an array a
    /// `java.util.ArrayList`; texts, booleans and numbers need no class. Whatever class is named in
    /// what is read, its fields are read as `P`.
    #[must_use]
    pub fn payload_class(mut self, class: impl Into<String>) -> Self {
        self.class = Some(class.into());
        self
    }

    /// The names of all services that have, or had, instances.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        children(&self.client, &self.path).await
    }

    fn service_path(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

impl<P: Serialize> Discovery<P> {
    /// Registers an instance, and keeps it registered. One with the same id that is there already
    /// is overwritten; if it belongs to another session, it is registered anew when that ends.
    ///
    /// Cancellation: the instance is removed, in the background.
    ///
    /// # Errors
    /// As [`crate::PersistentNode::create`]; [`Error::NotAnInstance`] if the payload cannot be
    /// written as JSON.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn register(&self, instance: &ServiceInstance<P>) -> Result<Registration, Error> {
        let service = self.service_path(&instance.name);
        Registration::new(&self.client, &service, instance, self.class.as_deref()).await
    }
}

impl<P: DeserializeOwned> Discovery<P> {
    /// The instances of a service.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// What the client reports; [`Error::NotAnInstance`] if the data of one of the nodes are
    /// something else. A [`ServiceCache`] passes over those.
    pub async fn instances(&self, name: &str) -> Result<Vec<ServiceInstance<P>>, Error> {
        let service = self.service_path(name);
        let ids = children(&self.client, &service).await?;
        let mut instances = Vec::with_capacity(ids.len());
        for ids in ids.chunks(WINDOW) {
            let paths = ids.iter().map(|id| join(&service, id));
            let calls = paths.map(|path| (self.client.get_data(&path), path));
            for (call, path) in calls.collect::<Vec<_>>() {
                instances.extend(self.answer(call.await, &path).await?);
            }
        }
        Ok(instances)
    }

    /// An instance of a service, if it is there.
    ///
    /// Cancellation: nothing happens.
    ///
    /// # Errors
    /// As [`Discovery::instances`].
    pub async fn instance(
        &self,
        name: &str,
        id: &str,
    ) -> Result<Option<ServiceInstance<P>>, Error> {
        let path = join(&self.service_path(name), id);
        self.answer(self.client.get_data(&path).await, &path).await
    }

    async fn answer(
        &self,
        read: Result<NodeData, client::Error>,
        path: &str,
    ) -> Result<Option<ServiceInstance<P>>, Error> {
        let read = match read {
            Err(error) if retry::is_passing(&error) => {
                retry::pause(&self.client).await;
                retry::answered(&self.client, || self.client.get_data(path)).await
            }
            read => read,
        };
        match read {
            Ok(node) => decoded(path, &node).map(Some),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The instances of a service as a copy that follows them.
    ///
    /// Cancellation: the watch is removed.
    ///
    /// # Errors
    /// As [`crate::Cache::children`].
    pub async fn cache(&self, name: &str) -> Result<ServiceCache<P>, Error> {
        ServiceCache::new(&self.client, self.service_path(name)).await
    }
}

impl<P: DeserializeOwned + Send + Sync + 'static> Discovery<P> {
    /// Takes instances of a service by a strategy. Waits until they are read for the first time.
    ///
    /// Cancellation: the watch is removed.
    ///
    /// # Errors
    /// As [`crate::Cache::next`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn provider(
        &self,
        name: &str,
        strategy: Strategy,
        policy: DownPolicy,
    ) -> Result<Provider<P>, Error> {
        let cache = self.cache(name).await?;
        Provider::new(cache, strategy, policy).await
    }
}

/// The names in a directory; none if it is not there.
async fn children(client: &Client, path: &str) -> Result<Vec<String>, Error> {
    match retry::answered(client, || client.get_children(path)).await {
        Ok(mut names) => {
            names.sort_unstable();
            Ok(names)
        }
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn decoded<P: DeserializeOwned>(path: &str, node: &NodeData) -> Result<ServiceInstance<P>, Error> {
    json::decode(node.bytes()).map_err(|reason| Error::NotAnInstance {
        path: path.to_owned(),
        reason,
    })
}
