//! Holds every statement in the subset of CQL that ScyllaDB and Cassandra 5 share, and to the rules of the store: words
//! that are not listed here are refused, whatever they mean.

use std::collections::{BTreeMap, BTreeSet};

use super::config::CqlConfig;
use super::schema::{MIGRATIONS, keyspace_statement, retention_statements, statements};
use super::statements::{Cql, Kind};

/// Words of statements that read and write rows.
const DATA_WORDS: [&str; 16] = [
    "SELECT", "FROM", "WHERE", "AND", "LIMIT", "INSERT", "INTO", "VALUES", "USING", "TTL", "UPDATE", "SET",
    "IF", "1", "=", "?",
];
/// Words of statements that pass through a whole table, and stand in no other.
const WALK_WORDS: [&str; 2] = ["DISTINCT", "TOKEN"];
/// Words of statements that make and change tables.
const SCHEMA_WORDS: [&str; 23] = [
    "CREATE",
    "ALTER",
    "TABLE",
    "KEYSPACE",
    "IF",
    "NOT",
    "EXISTS",
    "PRIMARY",
    "KEY",
    "STATIC",
    "WITH",
    "AND",
    "CLUSTERING",
    "ORDER",
    "BY",
    "ASC",
    "DESC",
    "=",
    "default_time_to_live",
    "compaction",
    "replication",
    "ADD",
    "DROP",
];
/// Types of columns: each the same on both.
const TYPES: [&str; 5] = ["text", "bigint", "blob", "boolean", "timestamp"];
/// The one table that is written under conditions.
const CONDITIONAL_TABLE: &str = "refund_ledger";
/// Tables whose rows have a TTL of their own.
const TTL_TABLES: [&str; 2] = ["due_orders", "due_buckets"];

/// A table as the migrations make it.
#[derive(Debug, Default)]
struct TableShape {
    columns: BTreeSet<String>,
    partition_key: Vec<String>,
}

fn config() -> CqlConfig {
    CqlConfig::new(vec!["db.example:9042".to_owned()], "paymux", "dc1")
}

fn schema() -> Vec<String> {
    MIGRATIONS.iter().flat_map(|migration| statements(migration, &config())).collect()
}

/// Words, numbers and signs; what stands in quotes is one word, brackets and commas are left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if is_of_word(first) => rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()),
            '<' | '>' => rest.find(|c| !"<>=".contains(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        if !"(),{}:;".contains(first) {
            words.push(rest[..length].to_owned());
        }
        rest = rest[length..].trim_start();
    }
    words
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The tables, out of statements `CREATE TABLE IF NOT EXISTS name ( column type, …, PRIMARY KEY ((…), …) ) …`.
fn tables() -> BTreeMap<String, TableShape> {
    let mut tables = BTreeMap::new();
    for text in schema() {
        let (head, body) = text.split_once('(').expect("a list of columns");
        let name = words(head).pop().expect("a name");
        let (columns, key) = body.split_once("PRIMARY KEY (").expect("a primary key");
        let key = key.trim_start_matches('(').split([')', ',']).map(str::trim);
        let compound = body.contains("PRIMARY KEY ((");
        let partition_key = if compound {
            let list = body.split("PRIMARY KEY ((").nth(1).and_then(|rest| rest.split(')').next());
            list.expect("a partition key").split(',').map(|column| column.trim().to_owned()).collect()
        } else {
            key.take(1).map(str::to_owned).collect()
        };
        let columns = columns.split(',').filter_map(|column| words(column).into_iter().next()).collect();
        tables.insert(name, TableShape { columns, partition_key });
    }
    tables
}

/// The table of a statement: the word after FROM, INTO or UPDATE.
fn table_of(words: &[String]) -> &str {
    let place = words.iter().position(|word| ["FROM", "INTO", "UPDATE"].contains(&word.as_str()));
    &words[place.expect("a table") + 1]
}

fn unknown(words: &[String], known: impl Fn(&str) -> bool) -> Vec<&String> {
    words.iter().filter(|word| !known(word)).collect()
}

#[test]
fn statements_use_only_words_that_both_databases_know() {
    let tables = tables();
    for cql in Cql::ALL {
        let words = words(cql.text());
        let table = table_of(&words);
        let shape = tables.get(table).unwrap_or_else(|| panic!("{cql:?}: no table {table}"));
        let is_known = |word: &str| {
            let compares = ["<", ">", "<=", ">="].contains(&word);
            let walks = cql.kind() == Kind::Walk && WALK_WORDS.contains(&word);
            let is_data = compares || walks || DATA_WORDS.contains(&word);
            is_data || word == table || shape.columns.contains(word)
        };
        assert_eq!(unknown(&words, is_known), Vec::<&String>::new(), "{cql:?}");
    }
}

#[test]
fn migrations_use_only_words_that_both_databases_know() {
    let tables = tables();
    let all = [schema(), retention_statements(&config()), vec![keyspace_statement(&config())]].concat();
    for text in all {
        let is_known = |word: &str| {
            SCHEMA_WORDS.contains(&word)
                || TYPES.contains(&word)
                || word.starts_with('\'')
                || word.parse::<u64>().is_ok()
                || word == "paymux"
                || tables.iter().any(|(name, shape)| name == word || shape.columns.contains(word))
        };
        assert_eq!(unknown(&words(&text), is_known), Vec::<&String>::new(), "{text}");
    }
}

#[test]
fn every_statement_names_its_whole_partition_by_markers() {
    let tables = tables();
    let bound = |cql: &&Cql| !cql.text().starts_with("INSERT") && cql.kind() != Kind::Walk;
    for cql in Cql::ALL.iter().filter(bound) {
        let words = words(cql.text());
        for column in &tables[table_of(&words)].partition_key {
            let is_bound = |three: &[String]| three[0] == *column && three[1] == "=" && three[2] == "?";
            assert!(words.windows(3).any(is_bound), "{cql:?} does not bind {column}");
        }
    }
    for cql in Cql::ALL.iter().filter(|cql| cql.text().starts_with("INSERT")) {
        let words = words(cql.text());
        for column in &tables[table_of(&words)].partition_key {
            assert!(words.contains(column), "{cql:?} does not set {column}");
        }
    }
}

#[test]
fn conditions_stand_in_one_table_and_nothing_else_writes_it() {
    for cql in Cql::ALL {
        let words = words(cql.text());
        let is_conditional = cql.kind() == Kind::Conditional;
        assert_eq!(words.iter().any(|word| word == "IF"), is_conditional, "{cql:?}");
        let by_consensus = matches!(cql.kind(), Kind::Conditional | Kind::SerialRead);
        assert_eq!(table_of(&words) == CONDITIONAL_TABLE, by_consensus, "{cql:?}");
        let reads = matches!(cql.kind(), Kind::Read | Kind::SerialRead | Kind::Walk);
        assert_eq!(words[0] == "SELECT", reads, "{cql:?}");
    }
}

#[test]
fn rows_set_a_ttl_only_where_each_has_its_own() {
    for cql in Cql::ALL.iter().filter(|cql| cql.kind() == Kind::Write) {
        let words = words(cql.text());
        let has_ttl = words.ends_with(&["USING".to_owned(), "TTL".to_owned(), "?".to_owned()]);
        assert_eq!(has_ttl, TTL_TABLES.contains(&table_of(&words)), "{cql:?}");
    }
}

#[test]
fn the_lint_knows_what_it_reads() {
    assert_eq!(
        words("SELECT a FROM t WHERE (b, c) >= (?, ?) AND d = 'x y'"),
        ["SELECT", "a", "FROM", "t", "WHERE", "b", "c", ">=", "?", "?", "AND", "d", "=", "'x y'"]
    );
    let tables = tables();
    assert_eq!(tables["due_orders"].partition_key, ["log_partition", "bucket"]);
    assert_eq!(tables["cluster"].partition_key, ["name"]);
    assert!(tables["refund_ledger"].columns.contains("version"));
    // What only one of the two takes, and what the store's rules forbid.
    for word in
        ["TIMESTAMP", "TIMEOUT", "BYPASS", "FILTERING", "CONTAINS", "LIKE", "IN", "TOKEN", "DELETE", "BATCH"]
    {
        assert!(!DATA_WORDS.contains(&word), "{word}");
    }
    for word in ["INDEX", "MATERIALIZED", "counter", "frozen", "tablets", "vector", "INCLUDE"] {
        assert!(!SCHEMA_WORDS.contains(&word) && !TYPES.contains(&word), "{word}");
    }
}
