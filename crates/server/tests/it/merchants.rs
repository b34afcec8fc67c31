//! Thousands of merchants in a folder: reloaded under traffic, keys rotated under notifications, unknown ones waiting.

mod reload;
mod rotation;
mod signals;
mod site;
mod unknown;
