//! A session that goes from server to server.

use anyhow::{Context as _, Result, ensure};

use crate::ensemble::client::set_body;
use crate::ensemble::cluster;
use crate::ensemble::config::Plan;
use crate::server::{Launcher, Which};
use crate::wire::{create_body, op, path_watch_body};

use super::{LIMIT, client_of, settled};

/// Flag of an ephemeral node.
const EPHEMERAL: i32 = 1;
/// Type of the event "data changed".
const DATA_CHANGED: i32 = 3;

/// It keeps its ephemeral node and its watches, and sees all of its own writes; what happened on
/// the way is told.
pub(super) fn moves(launcher: &Launcher, a: Which, b: Which) -> Result<String> {
    let plan = Plan::voters(&[a, b, a]);
    cluster::with(launcher, &plan, |ensemble| {
        let mut other = client_of(ensemble, 2)?;
        other.ensure_node("/watched", b"0", LIMIT)?;
        let mut client = client_of(ensemble, 1)?;
        let session = client.session_id();
        client.insist(
            op::CREATE,
            &create_body("/ephemeral", b"", EPHEMERAL),
            LIMIT,
        )?;
        client.sync(LIMIT)?;
        client.insist(op::GET_DATA, &path_watch_body("/watched", true), LIMIT)?;
        let mut moves = 0;
        for id in [2, 3, 2, 1, 2, 3, 1] {
            moves += 1;
            client.events.clear();
            client.move_to(&[ensemble.member(id).address]);
            let change = set_body("/watched", moves.to_string().as_bytes(), -1);
            other.insist(op::SET_DATA, &change, LIMIT)?;
            client.await_connection(LIMIT)?;
            ensure!(
                client.session_id() == session,
                "move {moves}: another session"
            );
            // The new server may not have the change yet; then its event comes with it.
            client.set_data_watches(&["/watched".to_owned()], LIMIT)?;
            client.sync(LIMIT)?;
            ensure!(
                client.events == [(DATA_CHANGED, "/watched".to_owned())],
                "move {moves} to server {id}: events {:?}",
                client.events
            );
            let (data, _) = client.get("/watched", LIMIT)?;
            ensure!(data == moves.to_string().as_bytes(), "move {moves}: stale");
            client.insist(op::GET_DATA, &path_watch_body("/watched", true), LIMIT)?;
            let (_, stat) = client.get("/ephemeral", LIMIT)?;
            ensure!(
                stat.ephemeral_owner == session,
                "move {moves}: another owner"
            );
            let data = format!("move {moves}");
            client.insist(
                op::SET_DATA,
                &set_body("/ephemeral", data.as_bytes(), -1),
                LIMIT,
            )?;
            let (shown, _) = client.get("/ephemeral", LIMIT)?;
            ensure!(
                shown == data.as_bytes(),
                "move {moves}: its own write is not there"
            );
        }
        ensure!(client.sessions_lost == 0, "the session was lost");
        ensure!(client.went_back.is_empty(), "zxids went back");
        settled(ensemble)?;
        client.insist(op::CLOSE_SESSION, &[], LIMIT)?;
        let tree = ensemble.equal_trees()?;
        ensure!(!tree.contains_key("/ephemeral"), "the ephemeral node stays");
        tree.get("/watched").context("/watched is gone")?;
        Ok(format!(
            "{moves} moves, one session, every missed event told once"
        ))
    })
}
