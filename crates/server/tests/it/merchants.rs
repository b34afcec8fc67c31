//! Thousands of merchants in a folder: reloaded under traffic, keys rotated under notifications,
//! certificates downloaded, unknown ones waiting.

mod certificates;
mod reload;
mod rotation;
mod signals;
mod site;
mod unknown;
