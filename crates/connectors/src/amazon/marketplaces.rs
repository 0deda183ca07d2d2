//! Amazon's marketplaces. <https://developer-docs.amazon.com/sp-api/docs/marketplace-ids>

/// Id, country, and the region whose address serves it.
const MARKETPLACES: &[(&str, &str, &str)] = &[
    ("ATVPDKIKX0DER", "US", "na"),
    ("A2EUQ1WTGCTBG2", "CA", "na"),
    ("A1AM78C64UM0Y8", "MX", "na"),
    ("A2Q3Y263D00KWC", "BR", "na"),
    ("A1F83G8C2ARO7P", "GB", "eu"),
    ("A1PA6795UKMFR9", "DE", "eu"),
    ("A13V1IB3VIYZZH", "FR", "eu"),
    ("APJ6JRA9NG5V4", "IT", "eu"),
    ("A1RKKUPIHCS9HS", "ES", "eu"),
    ("A28R8C7NBKEWEA", "IE", "eu"),
    ("A1805IZSGTT6HS", "NL", "eu"),
    ("AMEN7PMS3EDWL", "BE", "eu"),
    ("A2NODRKZP88ZB9", "SE", "eu"),
    ("A1C3SOZRARQ6R3", "PL", "eu"),
    ("A33AVAJ2PDY3EV", "TR", "eu"),
    ("A17E79C6D8DWNP", "SA", "eu"),
    ("A2VIGQ35RCS4UG", "AE", "eu"),
    ("ARBP9OOSHTCHU", "EG", "eu"),
    ("AE08WJ6YKNBMC", "ZA", "eu"),
    ("A21TJRUUN4KGV", "IN", "eu"),
    ("A1VC38T7YXB528", "JP", "fe"),
    ("A39IBJ37TRP1C6", "AU", "fe"),
    ("A19VAU5U5O7RUS", "SG", "fe"),
];

/// Where a seller of a marketplace consents to an application: the consent page of its Seller Central. From memory of
/// Amazon's list "Seller Central URLs" and not confirmed; `authorize_url` overrides it. Of several marketplaces the first counts,
/// because one consent is good for a region.
pub const CONSENT_PAGES: &[(&str, &str)] = &[
    ("ATVPDKIKX0DER", "https://sellercentral.amazon.com/apps/authorize/consent"),
    ("A2EUQ1WTGCTBG2", "https://sellercentral.amazon.ca/apps/authorize/consent"),
    ("A1AM78C64UM0Y8", "https://sellercentral.amazon.com.mx/apps/authorize/consent"),
    ("A2Q3Y263D00KWC", "https://sellercentral.amazon.com.br/apps/authorize/consent"),
    ("A1F83G8C2ARO7P", "https://sellercentral-europe.amazon.com/apps/authorize/consent"),
    ("A1PA6795UKMFR9", "https://sellercentral-europe.amazon.com/apps/authorize/consent"),
    ("A13V1IB3VIYZZH", "https://sellercentral-europe.amazon.com/apps/authorize/consent"),
    ("APJ6JRA9NG5V4", "https://sellercentral-europe.amazon.com/apps/authorize/consent"),
    ("A1RKKUPIHCS9HS", "https://sellercentral-europe.amazon.com/apps/authorize/consent"),
    ("A28R8C7NBKEWEA", "https://sellercentral.amazon.ie/apps/authorize/consent"),
    ("A1805IZSGTT6HS", "https://sellercentral.amazon.nl/apps/authorize/consent"),
    ("AMEN7PMS3EDWL", "https://sellercentral.amazon.com.be/apps/authorize/consent"),
    ("A2NODRKZP88ZB9", "https://sellercentral.amazon.se/apps/authorize/consent"),
    ("A1C3SOZRARQ6R3", "https://sellercentral.amazon.pl/apps/authorize/consent"),
    ("A33AVAJ2PDY3EV", "https://sellercentral.amazon.com.tr/apps/authorize/consent"),
    ("A17E79C6D8DWNP", "https://sellercentral.amazon.sa/apps/authorize/consent"),
    ("A2VIGQ35RCS4UG", "https://sellercentral.amazon.ae/apps/authorize/consent"),
    ("ARBP9OOSHTCHU", "https://sellercentral.amazon.eg/apps/authorize/consent"),
    ("AE08WJ6YKNBMC", "https://sellercentral.amazon.co.za/apps/authorize/consent"),
    ("A21TJRUUN4KGV", "https://sellercentral.amazon.in/apps/authorize/consent"),
    ("A1VC38T7YXB528", "https://sellercentral.amazon.co.jp/apps/authorize/consent"),
    ("A39IBJ37TRP1C6", "https://sellercentral.amazon.com.au/apps/authorize/consent"),
    ("A19VAU5U5O7RUS", "https://sellercentral.amazon.sg/apps/authorize/consent"),
];

/// `US` for an id that is known, the id itself otherwise.
pub fn country(id: &str) -> &str {
    MARKETPLACES.iter().find(|(known, ..)| *known == id).map_or(id, |(_, country, _)| country)
}

/// Why these marketplaces cannot be reached at this address, if it is one of Amazon's.
pub fn misplaced(base_url: &str, ids: &[String]) -> Option<String> {
    let host = url::Url::parse(base_url).ok()?.host_str()?.to_owned();
    let region =
        ["na", "eu", "fe"].into_iter().find(|region| host.contains(&format!("sellingpartnerapi-{region}.")))?;
    let elsewhere = |(known, _, place): &&(&str, &str, &str)| *place != region && ids.iter().any(|id| id == known);
    let (id, country, place) = MARKETPLACES.iter().find(elsewhere)?;
    let right = host.replace(&format!("sellingpartnerapi-{region}."), &format!("sellingpartnerapi-{place}."));
    Some(format!("marketplace {id} ({country}) is not served by {host}; set base_url to https://{right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marketplace_has_its_consent_page() {
        let ids = |list: &[&'static str]| list.iter().copied().collect::<std::collections::BTreeSet<_>>();
        let known: Vec<&str> = MARKETPLACES.iter().map(|(id, ..)| *id).collect();
        let paged: Vec<&str> = CONSENT_PAGES.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids(&known), ids(&paged));
    }

    #[test]
    fn a_marketplace_of_another_region_is_named_with_the_right_address() {
        let german = ["A1PA6795UKMFR9".to_owned()];
        let why = misplaced("https://sellingpartnerapi-na.amazon.com", &german).unwrap();
        assert!(why.contains("(DE)") && why.ends_with("https://sellingpartnerapi-eu.amazon.com"), "{why}");
        assert_eq!(misplaced("https://sandbox.sellingpartnerapi-eu.amazon.com", &german), None);
        assert_eq!(misplaced("http://127.0.0.1:1/amazon", &german), None);
        assert_eq!(misplaced("https://sellingpartnerapi-na.amazon.com", &["A-NEW-ONE".to_owned()]), None);
    }
}
