use serde_json::{Map, Value, json};

use super::Args;
use super::tally::Tally;

/// One finished measurement.
pub(super) struct Report {
    /// The load, as given on the command line.
    load: Map<String, Value>,
    /// What was counted: requests, sessions, events.
    pub(super) unit: &'static str,
    /// How many in `seconds`.
    pub(super) count: u64,
    /// Length of the measurement.
    pub(super) seconds: f64,
    /// Latencies and errors.
    pub(super) tally: Tally,
}

impl Report {
    pub(super) fn new(
        args: &Args,
        unit: &'static str,
        count: u64,
        seconds: f64,
        tally: Tally,
    ) -> Self {
        let load = [
            ("op", json!(args.op.to_string())),
            ("clients", json!(args.clients)),
            ("pipeline", json!(args.pipeline)),
            ("size", json!(args.size)),
            ("keys", json!(args.keys)),
        ];
        Self {
            load: load
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
            unit,
            count,
            seconds,
            tally,
        }
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.json());
        } else {
            print!("{}", self.text());
        }
    }

    fn per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.count as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// Named points of the latency distribution, microseconds.
    fn latency_us(&self) -> [(&'static str, f64); 6] {
        let latency = &self.tally.latency;
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        [
            ("mean", latency.mean() / 1e3),
            ("p50", at(0.5)),
            ("p90", at(0.9)),
            ("p99", at(0.99)),
            ("p99.9", at(0.999)),
            ("max", latency.max() as f64 / 1e3),
        ]
    }

    fn json(&self) -> Value {
        let mut report = self.load.clone();
        let latency: Map<_, _> = self
            .latency_us()
            .map(|(name, us)| (name.to_owned(), json!(us)))
            .into_iter()
            .collect();
        report.insert("unit".to_owned(), json!(self.unit));
        report.insert("count".to_owned(), json!(self.count));
        report.insert("seconds".to_owned(), json!(self.seconds));
        report.insert("per_second".to_owned(), json!(self.per_second()));
        report.insert("latency_us".to_owned(), Value::Object(latency));
        report.insert("unexpected".to_owned(), json!(self.tally.unexpected()));
        report.insert("complaints".to_owned(), json!(self.tally.complaints()));
        Value::Object(report)
    }

    fn text(&self) -> String {
        let load: Vec<_> = self
            .load
            .iter()
            .map(|(name, value)| format!("{name} {}", value.to_string().trim_matches('"')))
            .collect();
        let mut text = format!(
            "{}\n{} {} in {:.2} s: {:.0} per second\n",
            load.join(", "),
            self.count,
            self.unit,
            self.seconds,
            self.per_second(),
        );
        if !self.tally.latency.is_empty() {
            let points = self
                .latency_us()
                .map(|(name, us)| format!("{name} {us:.1}"));
            text += &format!("latency in us: {}\n", points.join("  "));
        }
        for complaint in self.tally.complaints() {
            text += &format!("unexpected: {complaint}\n");
        }
        text
    }
}
