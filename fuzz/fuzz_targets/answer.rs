//! The fuzzer's way into [`paymux_fuzz::answer`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _understood = paymux_fuzz::answer(data);
});
