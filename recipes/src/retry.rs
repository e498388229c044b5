//! Calls that are repeated until the server has answered.

use std::time::Duration;

use client::{Call, Client, Error, ErrorCode};

/// Between two tries of what failed although there is a connection.
const PAUSE: Duration = Duration::from_millis(20);

/// Whether a call failed for want of a connection, and may be tried on the next one.
pub(crate) fn is_passing(error: &Error) -> bool {
    matches!(
        error,
        Error::ConnectionLoss | Error::NotSent | Error::TooManyWaiting
    )
}

/// Waits until there is a connection, or will never be one again.
pub(crate) async fn connected(client: &Client) {
    let mut states = client.states();
    // `None`: the client is gone, which the next call reports.
    let _ = states
        .wait_for(|state| state.status.is_connected() || state.status.has_ended())
        .await;
}

/// Makes a call that may be made twice, until it is answered. Ends with the session at the
/// latest: as long as servers may come back there is no reason to give up, and whoever does not
/// want to wait drops it.
pub(crate) async fn answered<T>(
    client: &Client,
    mut make: impl FnMut() -> Call<T>,
) -> Result<T, Error> {
    loop {
        match make().await {
            Err(error) if is_passing(&error) => pause(client).await,
            outcome => return outcome,
        }
    }
}

/// Before the next try.
pub(crate) async fn pause(client: &Client) {
    tokio::time::sleep(PAUSE).await;
    connected(client).await;
}

/// Waits until something may have happened to a node, or its watch was lost; `false` at once if
/// there is no such node.
///
/// Its data is read, not whether it exists: if it does not, no watch is left behind.
pub(crate) async fn until_changed(client: &Client, path: &str) -> Result<bool, crate::Error> {
    match client.get_data_and_watch(path).await {
        Ok((_, watcher)) => {
            // The next call says why, if the session is over.
            if watcher.await.is_err() {
                connected(client).await;
            }
            Ok(true)
        }
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(false),
        Err(error) if is_passing(&error) => {
            pause(client).await;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits until there is no such node.
pub(crate) async fn until_gone(client: &Client, path: &str) -> Result<(), crate::Error> {
    while until_changed(client, path).await? {}
    Ok(())
}
