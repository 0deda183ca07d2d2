//! Addresses as a configuration gives them.

use sdk::{Error, Result};

/// Takes the slashes from an address's end, so that paths can be added to it. An error names the ecosystem and the
/// setting.
pub fn check(ecosystem: &str, setting: &str, address: &mut String) -> Result<()> {
    if !url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return Err(Error::invalid_input(format!("configuration of {ecosystem}: {setting} is not a web address")));
    }
    address.truncate(address.trim_end_matches('/').len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_added_to_what_was_checked() {
        let mut address = "https://api.example.com/v4//".to_owned();
        check("x", "base_url", &mut address).unwrap();
        assert_eq!(address, "https://api.example.com/v4");
        for wrong in ["", "api.example.com", "ftp://example.com", "https://"] {
            let error = check("x", "base_url", &mut wrong.to_owned()).unwrap_err();
            assert_eq!(error.message, "configuration of x: base_url is not a web address", "{wrong}");
        }
    }
}
