//! The manifests of `k8s/`: every overlay is built and looked through, against the schemas of Kubernetes, the kinds of
//! the operators, and the binary with its configuration. One wrong field of each sort must be found.

mod cluster;
mod files;
mod findings;
mod image;
mod kinds;
mod overlays;
mod planted;
mod pods;
mod reach;
mod serving;
mod tools;
mod tree;
