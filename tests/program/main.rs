//! The real binary from outside, with real plugins: one module for each verb or promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set itself up should stop there"
)]

mod alignment;
mod audit;
mod boundary;
mod bundle;
mod cluster;
mod compare;
mod concurrent;
mod conformance;
mod containment;
mod continuation;
mod data;
mod devices;
mod diff;
mod doctor;
mod events;
mod export;
mod exporting;
mod faults;
mod folder;
mod gc;
mod help;
mod imagenet;
mod init;
mod interrupt;
mod latex;
mod lineage;
mod look_up;
mod mnist;
mod network;
mod pack;
mod page;
mod parquet;
mod plan;
mod progress;
mod reconstruction;
mod refusals;
mod remote;
mod rerun;
mod run;
mod schema;
mod search;
mod show;
mod special_files;
mod terminal;
mod trust;
mod watch;
mod web;
mod why;
