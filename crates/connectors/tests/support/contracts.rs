//! The vendors' published contracts, which tests compare with. They are the vendors' and no part of this project, so they may
//! be absent: then there is nothing to compare with, and `scripts/test.sh` says so.

use std::path::{Path, PathBuf};

/// One of their folders, such as `quickbooks`: in the folder that `VENDOR_SPECS` names, or beside the workspace. What was
/// asked for by name has to be there.
pub fn folder(name: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("VENDOR_SPECS").filter(|named| !named.is_empty()) {
        let folder = PathBuf::from(named).join(name);
        assert!(folder.is_dir(), "VENDOR_SPECS names a folder without {}", folder.display());
        return Some(folder);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs").join(name);
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return None;
    }
    Some(folder)
}
