//! What is in a directory.

use client::{Client, ErrorCode};

use crate::contend::join;
use crate::{Error, retry};

/// Nodes that are read at a time.
const WINDOW: usize = 256;

/// The names in a directory; none if it is not there.
pub(crate) async fn names(client: &Client, path: &str) -> Result<Vec<String>, Error> {
    match retry::answered(client, || client.get_children(path)).await {
        Ok(names) => Ok(names),
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The data of these nodes of a directory, without those that are gone by now.
pub(crate) async fn data(
    client: &Client,
    path: &str,
    names: Vec<String>,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut found = Vec::with_capacity(names.len());
    for window in names.chunks(WINDOW) {
        let calls = window.iter().map(|name| {
            let path = join(path, name);
            (name, client.get_data(&path), path)
        });
        let calls: Vec<_> = calls.collect();
        for (name, call, path) in calls {
            let node = match call.await {
                Err(error) if retry::is_passing(&error) => {
                    retry::pause(client).await;
                    retry::answered(client, || client.get_data(&path)).await
                }
                node => node,
            };
            match node {
                Ok(node) => found.push((name.clone(), node.data.unwrap_or_default())),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(found)
}
