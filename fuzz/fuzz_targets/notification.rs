//! The fuzzer's way into [`paymux_fuzz::notification`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _understood = paymux_fuzz::notification(data);
});
