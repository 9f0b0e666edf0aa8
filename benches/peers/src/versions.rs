//! A check of the versions that README.md names.

/// Checks that README.md has the versions of these packages in Cargo.lock.
pub(crate) fn assert_in_readme(packages: impl Iterator<Item = &'static str>) {
    let lock = include_str!("../Cargo.lock");
    let readme = include_str!("../README.md");
    for package in packages {
        let (_, behind) = lock.split_once(&format!("name = \"{package}\"\n")).unwrap();
        let version = behind.split('"').nth(1).unwrap();
        assert!(readme.contains(&format!("| {package} | {version} |")), "{package}");
    }
}
