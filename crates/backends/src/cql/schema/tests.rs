//! Tests of what fits together, and of what is applied when.

use super::*;

const fn migration(number: u32, min_compatible_binary: u32) -> Migration {
    Migration { number, name: "test", cql: "", min_compatible_binary }
}

/// Tables; a column more; the old column gone; a table more.
const RELEASES: [Migration; 4] = [migration(1, 1), migration(2, 1), migration(3, 2), migration(4, 2)];

fn config() -> CqlConfig {
    CqlConfig::new(vec!["db.example:9042".to_owned()], "paymux", "dc1")
}

fn recorded(schema_version: i64, min_compatible_binary: i64) -> Recorded {
    Recorded {
        schema_version: Some(schema_version),
        min_compatible_binary: Some(min_compatible_binary),
        partitions: Some(64),
        retention_s: Some(400 * 24 * 3600),
        slices: BTreeMap::new(),
    }
}

fn numbers(migrations: &[&Migration]) -> Vec<u32> {
    migrations.iter().map(|migration| migration.number).collect()
}

#[test]
fn migrations_are_numbered_without_gaps_and_never_serve_older_programs_again() {
    for (migration, number) in MIGRATIONS.iter().zip(1..) {
        assert_eq!(migration.number, number, "{}", migration.name);
        assert!(migration.min_compatible_binary <= number, "{}", migration.name);
    }
    assert!(MIGRATIONS.is_sorted_by_key(|migration| migration.min_compatible_binary));
}

#[test]
fn expanding_comes_first_and_contracting_when_it_is_asked_for() {
    let nothing = Recorded::default();
    assert_eq!(numbers(&missing(&RELEASES, &nothing, false)), [1, 2]);
    assert_eq!(numbers(&missing(&RELEASES, &nothing, true)), [1, 2, 3, 4]);
    assert_eq!(numbers(&missing(&RELEASES, &recorded(2, 1), false)), [0; 0]);
    assert_eq!(numbers(&missing(&RELEASES, &recorded(3, 2), false)), [4]);
    assert_eq!(numbers(&missing(&RELEASES, &recorded(4, 2), true)), [0; 0]);
}

#[test]
fn a_program_works_with_what_was_expanded_and_stops_at_what_was_contracted() {
    let config = config();
    let faults = |recorded: Recorded, known: usize| recorded.faults(&config, &RELEASES[..known]);
    assert_eq!(faults(Recorded::default(), 1), [SchemaFault::Missing]);
    for halfway in
        [Recorded { partitions: None, ..recorded(1, 1) }, Recorded { retention_s: None, ..recorded(1, 1) }]
    {
        assert_eq!(faults(halfway, 1), [SchemaFault::Missing], "what is fixed for the cluster's life is not");
    }
    assert_eq!(faults(recorded(1, 1), 2), [SchemaFault::Behind { recorded: 1, needed: 2 }]);
    assert_eq!(faults(recorded(2, 1), 3), [], "the contracting one can wait");
    assert_eq!(faults(recorded(2, 1), 1), [], "the program of the release before");
    assert_eq!(faults(recorded(3, 2), 2), []);
    assert_eq!(faults(recorded(3, 2), 1), [SchemaFault::Ahead { min_compatible_binary: 2, known: 1 }]);
}

#[test]
fn everything_that_differs_is_named() {
    let other = CqlConfig { partitions: 8, retention: Duration::from_secs(500 * 24 * 3600), ..config() };
    let faults = recorded(1, 1).faults(&other, &RELEASES[..1]);
    let expected = [
        SchemaFault::Partitions { recorded: 64, configured: 8 },
        SchemaFault::Retention { recorded_s: 400 * 24 * 3600, configured_s: 500 * 24 * 3600 },
    ];
    assert_eq!(faults, expected);
    assert_eq!(recorded(1, 1).faults_before_migration(&other, &RELEASES[..1]), expected[..1]);
}

#[test]
fn times_stand_in_the_statements_and_nothing_is_left_open() {
    let all: Vec<String> = MIGRATIONS.iter().flat_map(|migration| statements(migration, &config())).collect();
    assert!(all.iter().all(|text| text.starts_with("CREATE TABLE IF NOT EXISTS ")), "{all:#?}");
    assert!(all.iter().all(|text| !text.contains("{order") && !text.contains("{due")), "{all:#?}");
    let facts = all.iter().find(|text| text.contains(" order_facts ")).expect("the table of facts");
    assert!(facts.contains("default_time_to_live = 34560000"), "{facts}");
    assert!(facts.contains("'compaction_window_size': '20'"), "{facts}");
    for table in ORDER_TABLES.map(|(table, _)| table).into_iter().chain(DAY_TABLES) {
        assert!(all.iter().any(|text| text.contains(&format!("IF NOT EXISTS {table} "))), "{table}");
    }
}
