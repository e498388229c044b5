//! The nodes above those of contenders.

use client::{Client, CreateOptions, ErrorCode};

use crate::Error;
use crate::retry;

/// So often the parent may be removed between its making and that of the node in it.
pub(crate) const TRIES: usize = 16;

/// Makes a directory and those above it, as containers: the server removes them when their last
/// child has gone. A server before 3.5 knows no containers; there they are persistent.
pub(crate) async fn ensure(client: &Client, path: &str) -> Result<(), Error> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
    for end in ends.chain([path.len()]) {
        let ancestor = &path[..end];
        if ancestor.len() > 1 {
            make(client, ancestor).await?;
        }
    }
    Ok(())
}

/// Makes those above a node, as [`ensure`] does.
pub(crate) async fn ensure_above(client: &Client, path: &str) -> Result<(), Error> {
    match path.rfind('/') {
        Some(at) if at > 0 => ensure(client, &path[..at]).await,
        _ => Ok(()),
    }
}

/// Makes a directory that stays: a persistent node in containers.
pub(crate) async fn ensure_kept(client: &Client, path: &str) -> Result<(), Error> {
    let persistent = CreateOptions::persistent().without_stat();
    for _ in 0..TRIES {
        match retry::answered(client, || client.create(path, "", &persistent)).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                ensure_above(client, path).await?;
            }
            Err(error) if error.code() == Some(ErrorCode::NodeExists) => return Ok(()),
            outcome => return Ok(outcome.map(drop)?),
        }
    }
    Err(Error::ParentDeleted(path.to_owned()))
}

async fn make(client: &Client, path: &str) -> Result<(), Error> {
    let container = CreateOptions::container();
    let made = retry::answered(client, || client.create(path, "", &container)).await;
    let made = match made {
        Err(error) if error.code() == Some(ErrorCode::Unimplemented) => {
            let persistent = CreateOptions::persistent().without_stat();
            retry::answered(client, || client.create(path, "", &persistent)).await
        }
        made => made,
    };
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(ErrorCode::NodeExists) => Ok(()),
        // One further up was removed in the meantime: whoever needs it sees that and asks again.
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
