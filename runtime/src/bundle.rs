//! Where the tools of workspaces lie on this side: where the configuration says, and else in the data
//! folder or with the executable.
//!
//! A server with a data folder of its own needs no tools of its own: those that came with the binary do.

use std::fmt;
use std::path::{Path, PathBuf};

use steading_core::config::Config;
use steading_core::runtime::RuntimeError;

/// The static helper for workspaces.
pub const INSIDE: &str = "inside";

/// A tool that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The file.
    pub path: PathBuf,
    /// Who says that it lies there.
    pub place: Place,
}

/// Why a tool is taken from where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The configuration names the file.
    Configured,
    /// It is in the server's data folder.
    DataFolder,
    /// It lies with the executable.
    Executable,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "configuration",
            Self::DataFolder => "found in the data folder",
            Self::Executable => "found with the executable",
        })
    }
}

/// The IDE bundle for an architecture, as engines name it: `amd64`, `arm64`.
///
/// # Errors
/// [`RuntimeError::NoTools`] where it is nowhere; it says where it was looked for.
pub fn ide(config: &Config, arch: &str) -> Result<Tool, RuntimeError> {
    find(&config.ide.bundle, "ide.bundle", &places(config), &format!("steading-ide-{arch}.tar"))
}

/// The helper binary.
///
/// # Errors
/// [`RuntimeError::NoTools`] where it is nowhere; it says where it was looked for.
pub fn inside(config: &Config) -> Result<Tool, RuntimeError> {
    find(&config.ide.inside, "ide.inside", &places(config), INSIDE)
}

/// What engines call the architecture that this program was made for.
#[must_use]
pub fn own_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn places(config: &Config) -> Vec<(Place, PathBuf)> {
    // Links are followed: a link in a folder of PATH does not move the tools.
    let executable = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    folders(&config.server.data_dir, executable.as_deref())
}

/// The folders to look in, the best first.
fn folders(data_dir: &Path, executable: Option<&Path>) -> Vec<(Place, PathBuf)> {
    let mut folders = vec![(Place::DataFolder, data_dir.join("ide"))];
    if let Some(bin) = executable.and_then(Path::parent) {
        // As built, and as installed: <prefix>/bin/steading with <prefix>/share/steading/ide.
        folders.push((Place::Executable, bin.join("ide")));
        folders.extend(bin.parent().map(|prefix| (Place::Executable, prefix.join("share/steading/ide"))));
    }
    folders
}

fn find(configured: &Path, key: &str, places: &[(Place, PathBuf)], name: &str) -> Result<Tool, RuntimeError> {
    if !configured.as_os_str().is_empty() {
        return match configured.is_file() {
            true => Ok(Tool { path: configured.to_owned(), place: Place::Configured }),
            false => {
                Err(RuntimeError::NoTools(format!("{key} names {}, where there is no file", configured.display())))
            }
        };
    }
    let mut there = places.iter().map(|(place, folder)| Tool { path: folder.join(name), place: *place });
    there.find(|tool| tool.path.is_file()).ok_or_else(|| {
        let looked: Vec<String> = places.iter().map(|(_, folder)| folder.display().to_string()).collect();
        RuntimeError::NoTools(format!("{name} is in none of {}", looked.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_looked_for_in_the_data_folder_beside_the_binary_and_in_its_prefix() {
        let found = folders(Path::new("/srv/other"), Some(Path::new("/usr/local/bin/steading")));
        let paths: Vec<&str> = found.iter().filter_map(|(_, folder)| folder.to_str()).collect();
        assert_eq!(paths, ["/srv/other/ide", "/usr/local/bin/ide", "/usr/local/share/steading/ide"]);
        assert_eq!(folders(Path::new("d"), None), [(Place::DataFolder, PathBuf::from("d/ide"))]);
    }

    #[test]
    fn the_nearest_file_is_taken_and_a_named_one_before_all() {
        let folder = tempfile::tempdir().unwrap();
        let (data, bin) = (folder.path().join("data"), folder.path().join("bin"));
        let places = folders(&data, Some(&bin.join("steading")));
        let missing = find(Path::new(""), "ide.inside", &places, INSIDE).unwrap_err().to_string();
        assert!(missing.contains("data/ide") && missing.contains("share/steading/ide"), "{missing}");
        for (place, dir) in places.iter().rev() {
            std::fs::create_dir_all(dir).unwrap();
            std::fs::write(dir.join(INSIDE), "").unwrap();
            let tool = find(Path::new(""), "ide.inside", &places, INSIDE).unwrap();
            assert_eq!(tool, Tool { path: dir.join(INSIDE), place: *place });
        }
        let mine = folder.path().join("mine");
        let missing = find(&mine, "ide.inside", &places, INSIDE).unwrap_err().to_string();
        assert!(missing.contains("ide.inside names"), "{missing}");
        std::fs::write(&mine, "").unwrap();
        let named = find(&mine, "ide.inside", &places, INSIDE).unwrap();
        assert_eq!(named, Tool { path: mine, place: Place::Configured });
    }
}
