//! Builds a crate for the browser, by cargo and wasm-bindgen.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wasm_bindgen_cli_support::Bindgen;

/// The result of building a page.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds a package of this workspace, with the toolchain `WASM_TOOLCHAIN` if that is set. Returns
/// the folder of its JavaScript and wasm.
pub fn bundle(package: &str) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(workspace.join("target"), PathBuf::from);
    // Without rustup, the target may be installed in another way.
    let rustup = ["target", "add", TARGET];
    let _ = Command::new("rustup").args(rustup).stderr(Stdio::null()).status();
    let mut cargo = match env::var_os("WASM_TOOLCHAIN") {
        Some(toolchain) => {
            let mut rustup = Command::new("rustup");
            rustup.arg("run").arg(toolchain).arg("cargo");
            rustup
        }
        None => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
    };
    let build = ["build", "--package", package, "--target", TARGET, "--profile", "page"];
    run(cargo.current_dir(&workspace).args(build))?;

    let name = package.replace('-', "_");
    let bundle = target.join("browser").join(package);
    Bindgen::new()
        .input_path(target.join(TARGET).join("page").join(format!("{name}.wasm")))
        .web(true)?
        .omit_default_module_path(false)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&bundle)?;
    Ok(bundle)
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed: {status}").into()),
        Err(error) => Err(format!("{name} cannot be started: {error}").into()),
    }
}

/// Returns the size of a file in bytes, plain and with gzip.
pub fn weigh(file: &Path) -> io::Result<(usize, usize)> {
    let content = fs::read(file)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&content)?;
    Ok((content.len(), gzip.finish()?.len()))
}
