use client::{Client, Expected};

use crate::Error;
use crate::contend::REVOKE_MESSAGE;
use crate::retry;

/// Asks whoever holds the lock of this node to give it up. [`crate::Hold::revocation`] tells the
/// holder, and so does Curator's `makeRevocable`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// # let server = server::embedded::EmbeddedServer::start()?;
/// # let client = client::Client::connect(&server.connect_string()).await?;
/// let mutex = recipes::Mutex::new(&client, "/lock");
/// let guard = mutex.acquire().await?;
/// recipes::revoke(&client, &mutex.contenders().await?[0]).await?;
/// guard.revocation().await?;
/// guard.release().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What the client reports: no such node, if it is no longer held.
pub async fn revoke(client: &Client, node: &str) -> Result<(), Error> {
    let ask = || client.set_data(node, REVOKE_MESSAGE, Expected::Any);
    retry::answered(client, ask).await?;
    Ok(())
}
