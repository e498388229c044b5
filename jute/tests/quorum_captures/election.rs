//! The election port.

use jute::frame::{self, PREFIX_LEN};
use jute::quorum::QuorumConfig;
use jute::quorum::election::{InitialForm, Notification, first_frame, first_initial};

use crate::{Side, encoded, render};

pub(crate) fn list((side, stream): Side<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = stream;
    if side == "dialer" {
        let (message, len) = first_initial(rest)
            .expect("it decodes")
            .expect("it is whole");
        for end in 0..len {
            assert_eq!(first_initial(&rest[..end]), Ok(None), "cut at {end}");
        }
        assert_eq!(encoded(&message), rest[..len]);
        let protocol = match message.form {
            InitialForm::Bare => panic!("a form that was not recorded"),
            InitialForm::V1 => -65536,
            InitialForm::V2 => -65535,
        };
        let addresses: Vec<_> = message.addresses.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "dialer ('INIT', {protocol}, {}, '{}')",
            message.server,
            addresses.join("|")
        ));
        rest = &rest[len..];
    }
    let mut rebuilt = Vec::new();
    let frames = rest;
    while let Some(body) = first_frame(rest).expect("a length") {
        let vote = Notification::from_bytes(body).expect("it decodes");
        frame::append(&mut rebuilt, |out| {
            out.extend_from_slice(&encoded(&vote));
        });
        lines.push(format!("{side} {}", notification(body.len(), &vote)));
        rest = &rest[PREFIX_LEN + body.len()..];
    }
    assert_eq!(rebuilt, frames, "whole frames");
    lines
}

fn notification(len: usize, vote: &Notification<'_>) -> String {
    let config = vote.config.expect("version 2 has one");
    render::config(config);
    let parsed = QuorumConfig::from_bytes(config).expect("it parses");
    format!(
        "len={len} state={} leader={} zxid={} epoch={} peerEpoch={} ver={} cfg={}",
        vote.state.as_i32(),
        vote.leader,
        vote.zxid.0,
        vote.election_epoch,
        vote.peer_epoch,
        vote.version,
        render::text(&parsed.to_string()),
    )
}
