//! Everything that is wrong with an overlay.

use serde_json::Value;

use crate::tools::Tools;
use crate::tree::{Tree, name_of};
use crate::{cluster, kinds, pods, reach};

/// All faults, each with the document that it is in.
pub(crate) fn of(tools: &Tools, tree: &Tree) -> Vec<String> {
    let (ours, native): (Vec<_>, Vec<_>) = tree.documents.iter().partition(|one| kinds::is_known(one));
    let about =
        |document: &Value, fault: &str| format!("{} {}: {fault}", document["kind"], name_of(document));
    let mut faults: Vec<String> = Vec::new();
    let native: Vec<Value> = native.into_iter().cloned().collect();
    for (at, fault) in tools.validate(&native) {
        faults.push(about(&native[at], &fault));
    }
    for document in ours {
        faults.extend(kinds::fault(document).map(|fault| about(document, &fault)));
    }
    faults.extend(of_content(tree));
    faults
}

/// Those that no schema tells of.
pub(crate) fn of_content(tree: &Tree) -> Vec<String> {
    let mut faults = pods::faults(tree);
    faults.extend(reach::faults(tree));
    faults.extend(cluster::faults(tree));
    faults
}
