//! The table of fields in `docs/providers.md` (section 0.3), held against the sources of the parsers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::table::CONTRACTS;

/// The heading of the table.
const HEADING: &str = "\n### 0.3 ";

/// The sources of a provider, but for its tests.
fn sources(provider: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(provider);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    sources.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What is read as a structure, where that is the provider's way; what is written has the same names and counts not.
fn structures(source: &str) -> String {
    let read = source.split("#[derive(Deserialize)]").skip(1);
    read.filter_map(|rest| rest.split("\n}\n").next()).collect()
}

/// Whether the parsers read a field of that name: by a look-up, or as a structure's field.
fn is_read(source: &str, structures: &str, name: &str) -> bool {
    let looked_up = [format!("(\"{name}\")"), format!(", \"{name}\")"), format!(" == \"{name}\")")];
    structures.contains(&format!(" {name}:")) || looked_up.iter().any(|way| source.contains(way.as_str()))
}

/// Whether the sources know a name at all: some are read by constants and lists.
fn is_known(source: &str, structures: &str, name: &str) -> bool {
    source.contains(&format!("\"{name}\"")) || structures.contains(&format!(" {name}:"))
}

fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The cells of each row: provider, read, not read.
fn rows() -> Vec<[&'static str; 3]> {
    let (_, section) = CONTRACTS.split_once(HEADING).expect("the section of the table");
    let table = section.split("\n---\n").next().unwrap_or(section);
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    let cells = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [provider, read, not_read, why] = cells.try_into().unwrap_or_else(|cells| panic!("{cells:?}"));
        assert!(!why.is_empty(), "{provider} gives no reason for {not_read}");
        [provider.trim_matches('`'), read, not_read]
    });
    cells.collect()
}

#[test]
fn what_is_read_and_what_is_not_is_as_the_table_says() {
    let mut known: BTreeMap<&str, (String, String)> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut seen = 0;
    for [provider, read, not_read] in rows() {
        let (source, structures) = known.entry(provider).or_insert_with(|| {
            let source = sources(provider);
            let structures = structures(&source);
            (source, structures)
        });
        // In brackets stands under which name of ours it is kept.
        let read = read.split(" (").next().unwrap_or(read);
        for name in names(read) {
            seen += 1;
            if !is_known(source, structures, name) {
                faults.push(format!("{provider} does not read {name}"));
            }
        }
        for name in names(not_read) {
            seen += 1;
            if is_read(source, structures, name) {
                faults.push(format!("{provider} reads {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(known.len(), 5, "a row of each provider");
    assert!(seen > 80, "{seen} names");
}

#[test]
fn a_field_that_is_read_is_told_from_one_that_is_not() {
    let source = "fields.get(\"sum\"); let time = read(fields, \"time\"); [(\"attach\", text)]\n\
                  #[derive(Deserialize)]\nstruct A {\n    state: String,\n}\n\
                  #[derive(Serialize)]\nstruct B {\n    note: String,\n}\n";
    let structures = structures(source);
    let read = |name| is_read(source, &structures, name);
    assert_eq!(["sum", "time", "state", "attach", "note"].map(read), [true, true, true, false, false]);
}
