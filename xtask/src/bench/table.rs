//! The result, for people and for programs.

use serde_json::{Value, json};

use super::Args;
use super::rows::{Row, Samples, Target};
use super::server::Product;
use crate::stats::median;

/// The table of all measured rows, and the floors below it.
pub(super) fn markdown(args: &Args, samples: &Samples) -> String {
    let mut text = String::from(
        "| measured | Apache 3.9.5 | ours | ratio | target | met |\n|---|---|---|---|---|---|\n",
    );
    for row in args.kinds().iter().flat_map(|kind| kind.rows) {
        if args.wants(row.name) {
            text += &line(row, samples);
        }
    }
    text += &format!(
        "\nMedians of {} rounds. The machine in the same rounds:\n",
        args.rounds
    );
    for (title, values) in &samples.floors {
        text += &format!("- {title}: {}\n", number(median(values.clone())));
    }
    text
}

fn line(row: &Row, samples: &Samples) -> String {
    let [apache, ours] = [Product::Apache, Product::Ours].map(|product| {
        let values = samples.of(row.name, product);
        (!values.is_empty()).then(|| median(values.to_vec()))
    });
    let ratio = apache.zip(ours).map(|(apache, ours)| ours / apache);
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let verdict = match met(row.target, ratio, ours) {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    format!(
        "| {} | {} | {} | {} | {} | {verdict} |\n",
        row.title,
        cell(apache),
        cell(ours),
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
        wanted(row.target),
    )
}

/// Is the target met? `None` when there is none, or when a value is missing.
fn met(target: Target, ratio: Option<f64>, ours: Option<f64>) -> Option<bool> {
    match target {
        Target::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
        Target::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
        Target::AtMost(most) => ours.map(|ours| ours <= most),
        Target::None => None,
    }
}

fn wanted(target: Target) -> String {
    match target {
        Target::RatioAtLeast(least) => format!("at least {least}x"),
        Target::RatioAtMost(most) => format!("at most {most}x"),
        Target::AtMost(most) => format!("at most {most}"),
        Target::None => "-".to_owned(),
    }
}

/// Three digits are enough for what differs by percents from run to run.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Every sample, by row and server.
pub(super) fn json(args: &Args, samples: &Samples) -> Value {
    let rows: Vec<_> = args
        .kinds()
        .iter()
        .flat_map(|kind| kind.rows)
        .map(|row| {
            json!({
                "name": row.name,
                "title": row.title,
                "apache": samples.of(row.name, Product::Apache),
                "ours": samples.of(row.name, Product::Ours),
            })
        })
        .collect();
    json!({ "rows": rows, "floors": samples.floors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged() {
        for (target, ratio, ours, expected) in [
            (Target::RatioAtLeast(8.0), Some(8.0), Some(1.0), Some(true)),
            (Target::RatioAtLeast(8.0), Some(7.9), Some(1.0), Some(false)),
            (Target::RatioAtMost(0.6), Some(0.5), Some(1.0), Some(true)),
            (Target::RatioAtMost(0.6), Some(0.7), Some(1.0), Some(false)),
            (Target::RatioAtMost(0.6), None, Some(1.0), None),
            (Target::AtMost(250.0), None, Some(250.0), Some(true)),
            (Target::AtMost(250.0), Some(0.1), Some(251.0), Some(false)),
            (Target::None, Some(1.0), Some(1.0), None),
        ] {
            assert_eq!(
                met(target, ratio, ours),
                expected,
                "{target:?} {ratio:?} {ours:?}"
            );
        }
    }
}
