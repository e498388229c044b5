//! Writes the seeds of every target.

use std::fs;

use zabkeeper_fuzz::replay::{SEED_EXTENSION, corpus_folder};
use zabkeeper_fuzz::seeds;

fn main() -> std::io::Result<()> {
    for (target, made) in seeds::all() {
        let folder = corpus_folder().join(target);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == SEED_EXTENSION) {
                fs::remove_file(path)?;
            }
        }
        println!("{target}: {} seeds", made.len());
        for (name, bytes) in made {
            fs::write(folder.join(format!("{name}.{SEED_EXTENSION}")), bytes)?;
        }
    }
    Ok(())
}
