//! The files that come with Intermission are true.

use std::path::{Path, PathBuf};

use intermission::config::{self, Color};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

#[test]
fn every_example_file_passes_the_real_check() {
    let files = std::fs::read_dir(folder()).expect("the folder config/");
    let files = files.map(|entry| entry.expect("an entry").path());
    let mut checked = 0;
    for file in files.filter(|path| path.extension().is_some_and(|ext| ext == "toml")) {
        if let Err(problems) = config::load(&file) {
            panic!("{}", problems.render(Color::Plain));
        }
        checked += 1;
    }
    assert!(checked >= 1, "{checked} files");
}
