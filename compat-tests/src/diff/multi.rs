//! Random multi and multiRead requests.

use super::generate::Dice;
use super::requests::{create_parts, data, path, version, write_path};
use super::step::Request;
use crate::wire::{Writer, create_body, op};

/// Most operations in one multi.
const LIMIT: u64 = 6;

#[derive(Debug)]
struct Builder {
    writer: Writer,
    labels: Vec<String>,
}

impl Builder {
    fn new() -> Self {
        Self {
            writer: Writer::default(),
            labels: Vec::new(),
        }
    }

    fn add(mut self, code: i32, body: &[u8], label: String) -> Self {
        self.writer = self.writer.int(code).bool(false).int(-1);
        self.writer.0.extend_from_slice(body);
        self.labels.push(label);
        self
    }

    fn finish(self, code: i32, name: &str) -> Request {
        let body = self.writer.int(-1).bool(true).int(-1).0;
        Request::new(code, body, format!("{name} [{}]", self.labels.join("; ")))
    }
}

fn write_operation(dice: &mut Dice, builder: Builder) -> Builder {
    match dice.below(100) {
        0..=39 => {
            let code = *dice.pick(&[op::CREATE, op::CREATE, op::CREATE2, op::CREATE_CONTAINER]);
            // A flag that no create knows makes the whole request undecodable.
            let flags = if code == op::CREATE_CONTAINER {
                4
            } else {
                dice.weighted(&[(50, 0), (12, 1), (14, 2), (8, 3), (3, 4), (1, 5), (1, 9)])
            };
            let (writer, label) = create_parts(dice, flags);
            builder.add(code, &writer.0, format!("create({code}) {label}"))
        }
        40..=44 => {
            let (writer, label) = create_parts(dice, 5);
            builder.add(
                op::CREATE_TTL,
                &writer.long(600_000).0,
                format!("createTTL {label}"),
            )
        }
        45..=59 => {
            let (path, version) = (write_path(dice), version(dice));
            let body = Writer::default().string(Some(&path)).int(version).0;
            builder.add(op::DELETE, &body, format!("delete {path:?} {version}"))
        }
        60..=84 => {
            let (path, data, version) = (write_path(dice), data(dice), version(dice));
            let body = Writer::default()
                .string(Some(&path))
                .buffer(data.as_deref())
                .int(version)
                .0;
            builder.add(op::SET_DATA, &body, format!("setData {path:?} {version}"))
        }
        _ => {
            let (path, version) = (path(dice), version(dice));
            let body = Writer::default().string(Some(&path)).int(version).0;
            builder.add(op::CHECK, &body, format!("check {path:?} {version}"))
        }
    }
}

fn read_operation(dice: &mut Dice, builder: Builder) -> Builder {
    let (path, watch) = (path(dice), dice.chance(30));
    let body = Writer::default().string(Some(&path)).bool(watch).0;
    let code = *dice.pick(&[op::GET_DATA, op::GET_CHILDREN]);
    builder.add(code, &body, format!("read({code}) {path:?}"))
}

/// A multi, now and then with something in it that does not belong there.
pub(super) fn write(dice: &mut Dice) -> Request {
    let mut builder = Builder::new();
    for _ in 0..dice.below(LIMIT) {
        builder = if dice.chance(2) {
            read_operation(dice, builder)
        } else if dice.chance(1) {
            builder.add(op::EXISTS, &[0, 0, 0, 1, b'/', 0], "exists".to_owned())
        } else {
            write_operation(dice, builder)
        };
    }
    builder.finish(op::MULTI, "multi")
}

/// A multiRead, now and then with a write in it.
pub(super) fn read(dice: &mut Dice) -> Request {
    let mut builder = Builder::new();
    for _ in 0..dice.below(LIMIT) {
        builder = if dice.chance(2) {
            write_operation(dice, builder)
        } else {
            read_operation(dice, builder)
        };
    }
    builder.finish(op::MULTI_READ, "multiRead")
}

/// Several creates below a hard quota at once.
pub(super) fn quota(dice: &mut Dice) -> Request {
    let mut builder = Builder::new();
    for _ in 0..=dice.below(3) {
        let path = format!("/q/m{}", dice.below(4));
        builder = if dice.chance(60) {
            builder.add(
                op::CREATE,
                &create_body(&path, b"m", 0),
                format!("create {path:?}"),
            )
        } else {
            let body = Writer::default().string(Some(&path)).int(-1).0;
            builder.add(op::DELETE, &body, format!("delete {path:?}"))
        };
    }
    builder.finish(op::MULTI, "multi")
}
