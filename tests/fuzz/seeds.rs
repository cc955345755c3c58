//! Writes the seeds where the fuzzer looks for them: `tests/fuzz/corpus/TARGET/NUMBER`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    for (number, (target, seed)) in homeostat_fuzz::seeds().into_iter().enumerate() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(number.to_string()), seed)?;
    }
    Ok(())
}
