//! `docs/performance/capacity.md`: what an order costs, and what that comes to for many of them.

use std::fmt::Write as _;

use super::lines::Figures;
use super::machine::Machine;
use super::report::number;

/// The part of a core that is planned with: beyond it latency grows faster than what is carried.
const USED: f64 = 0.7;
/// Copies of what log and store keep on a cluster.
const COPIES: f64 = 3.0;
/// How many times the mean of a day its busiest second has [assumed].
const PEAK: f64 = 5.0;
const DAY_S: f64 = 86_400.0;
const DAY_ORDERS: f64 = 100e6;

/// Costs of an order: what it is, and the figure.
const COSTS: [(&str, &str); 7] = [
    ("all roles in one process, embedded, MD5 provider: whole life", "life/whole/embedded/cpu"),
    ("the same, until the payer can pay", "life/pending/embedded/cpu"),
    ("the same at WeChat Pay: two RSA signatures made, one verified", "signed/pending/embedded/cpu"),
    ("worker on Kafka and CQL, MD5 provider: whole life", "fleet/whole/cpu/worker"),
    ("ingest on Kafka and CQL, one watch told", "fleet/whole/cpu/ingest"),
    ("notify on Kafka and CQL", "fleet/whole/cpu/notify"),
    ("the three together", "fleet/whole/cpu"),
];

/// Bytes of an order: what, the figure.
const BYTES: [(&str, &str); 5] = [
    (
        "log and store together, embedded, on disk, a journal of at most 64 MiB included; a bench's orders \
         are alike and compress better than others",
        "life/whole/embedded/disk",
    ),
    ("the same without that journal", "life/whole/embedded/disk/tables"),
    ("records in the log, Kafka, before compression and copies", "fleet/bytes/log"),
    ("events, Kafka, before compression and copies", "fleet/bytes/events"),
    ("facts and follow-up in the store, CQL, before compression, indexes and copies", "fleet/bytes/store"),
];

/// The page.
pub(super) fn text(machine: &Machine, figures: &Figures) -> String {
    let Machine { cpu, cores, date, .. } = machine;
    let mut text = format!(
        "# Capacity\n\n\
         What an order costs, and what that comes to for many of them; `cargo xtask bench` writes this page.\n\
         Each number names its bench; all of them were measured in the run of [report.md](report.md) on {cores} cores of \
         {cpu}, {date}, where services, provider and platform shared the cores with the engine.\n\
         What follows from them stands with its formula.\n\n\
         ## Processor time of an order\n\n\
         The processor time of the engine's own processes: Kafka, the CQL database, the provider and whoever calls are \
         not in it.\n\
         What one core carries is 1000 / ms; {} % of that is what is planned with.\n\n\
         | what | ms | orders/s of one core | planned with | bench |\n|---|---|---|---|---|\n",
        USED * 100.0
    );
    for (what, bench) in COSTS {
        let row = figures.get(bench).map_or_else(
            || "not measured | |".to_owned(),
            |figure| {
                let ms = figure.value.median;
                format!("{} | {} | {}", number(ms), number(1000.0 / ms), number(1000.0 * USED / ms))
            },
        );
        // Writing to a text cannot fail.
        let _written = writeln!(text, "| {what} | {row} | `{bench}` |");
    }
    text.push_str("\n## Bytes of an order\n\n| what | bytes | bench |\n|---|---|---|\n");
    for (what, bench) in BYTES {
        let bytes = figures.get(bench).map_or_else(
            || "not measured".to_owned(),
            |figure| format!("{:.0}", figure.value.median * if figure.unit == "kB" { 1000.0 } else { 1.0 }),
        );
        let _written = writeln!(text, "| {what} | {bytes} | `{bench}` |");
    }
    text.push_str(&sizing(figures).unwrap_or_else(|| {
        "\n## Sizing\n\nThe benches on Kafka and CQL did not run, so nothing is computed.\n".to_owned()
    }));
    text
}

/// What is needed for a rate and for a day's orders.
fn sizing(figures: &Figures) -> Option<String> {
    let value = |bench| figures.get(bench).map(|figure| figure.value.median);
    let per_role = [
        ("worker", value("fleet/whole/cpu/worker")?),
        ("ingest", value("fleet/whole/cpu/ingest")?),
        ("notify", value("fleet/whole/cpu/notify")?),
    ];
    let log = value("fleet/bytes/log")? + value("fleet/bytes/events")?;
    let store = value("fleet/bytes/store")?;
    let signed = value("signed/pending/embedded/cpu")? - value("life/pending/embedded/cpu")?;
    let mean = DAY_ORDERS / DAY_S;
    let mut text = String::from("\n## Sizing\n\n");
    let _written = write!(
        text,
        "Every role's processes are as many as its cores; partitions are at least as many as worker processes.\n\
         An account is called no faster than its budget, whatever is here: WeChat Pay takes about 500 creates/s of a \
         merchant (`config example`), so 10,000 orders/s are those of 20 accounts or more.\n\
         A busy second has {PEAK} times the mean of its day `[assumed]`; the services' own cores and disks are theirs to \
         size, by the bytes here.\n\n"
    );
    for (title, rate) in
        [("10,000 orders/s", 10_000.0), ("100 million orders a day, busiest second", mean * PEAK)]
    {
        let _written = write!(text, "### {title}\n\n| what | formula | comes to |\n|---|---|---|\n");
        let at = number(rate);
        for (role, ms) in per_role {
            let cores = rate * ms / 1000.0 / USED;
            let ms = number(ms);
            let _written =
                writeln!(text, "| cores of {role} | {at} × {ms} ms / 1000 / {USED} | {} |", number(cores));
        }
        let more = rate * signed / 1000.0 / USED;
        let _written = writeln!(
            text,
            "| further cores of worker at WeChat Pay | {at} × (`signed/pending/embedded/cpu` − \
             `life/pending/embedded/cpu` = {} ms) / 1000 / {USED} | {} |",
            number(signed),
            number(more)
        );
        let _written = writeln!(
            text,
            "| into the log, all copies | {at} × {log:.0} B × {COPIES} | {} MB/s |\n\
             | into the store, all copies | {at} × {store:.0} B × {COPIES} | {} MB/s |\n",
            number(rate * log * COPIES / 1e6),
            number(rate * store * COPIES / 1e6)
        );
    }
    let _written = write!(
        text,
        "### 100 million orders a day, what is kept\n\n| what | formula | comes to |\n|---|---|---|\n\
         | mean | 100,000,000 / 86,400 s | {}/s |\n\
         | log of a day, all copies | 100,000,000 × {log:.0} B × {COPIES} | {} GB |\n\
         | store of a day, all copies | 100,000,000 × {store:.0} B × {COPIES} | {} GB |\n",
        number(mean),
        number(DAY_ORDERS * log * COPIES / 1e9),
        number(DAY_ORDERS * store * COPIES / 1e9)
    );
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(names: &[(&str, &str, f64)]) -> Figures {
        let line = |(bench, unit, value): &(&str, &str, f64)| {
            format!(r#"{{"bench":"{bench}","unit":"{unit}","value":{value},"spread":[{value},{value}]}}"#)
        };
        Figures::of(&names.iter().map(line).collect::<Vec<_>>().join("\n")).expect("lines")
    }

    #[test]
    fn what_is_needed_follows_from_what_was_measured() {
        let figures = figures(&[
            ("fleet/whole/cpu/worker", "ms", 0.35),
            ("fleet/whole/cpu/ingest", "ms", 0.07),
            ("fleet/whole/cpu/notify", "ms", 0.035),
            ("fleet/bytes/log", "B", 700.0),
            ("fleet/bytes/events", "B", 300.0),
            ("fleet/bytes/store", "B", 2000.0),
            ("signed/pending/embedded/cpu", "ms", 1.2),
            ("life/pending/embedded/cpu", "ms", 0.2),
        ]);
        let text = sizing(&figures).expect("everything is there");
        assert!(text.contains("| cores of worker | 10000 × 0.350 ms / 1000 / 0.7 | 5.000 |"), "{text}");
        assert!(text.contains("| into the log, all copies | 10000 × 1000 B × 3 | 30.0 MB/s |"), "{text}");
        assert!(
            text.contains("| store of a day, all copies | 100,000,000 × 2000 B × 3 | 600 GB |"),
            "{text}"
        );
    }

    #[test]
    fn without_services_nothing_is_computed() {
        assert_eq!(sizing(&figures(&[("life/pending/embedded/cpu", "ms", 0.2)])), None);
    }
}
