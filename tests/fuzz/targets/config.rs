//! A config file: whatever it holds, it loads or is told what is wrong, and secrets stay unsaid.
#![no_main]

use std::path::Path;

use intermission::config::load_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A file that the text names is not to be read, let alone a device.
    let base = Path::new("/nonexistent");
    if text.contains("/dev") || text.contains("/proc") || text.contains("/sys") {
        return;
    }
    if let Err(problems) = load_text("fuzz.toml", text, base) {
        assert!(!problems.to_string().is_empty());
    }
});
