//! The credentials that open the simulated location.

use serde::Serialize;
use serde_json::json;

use super::oauth::jwt;
use crate::business::{Business, Kind, random, uuid};

/// Everything that a client needs to connect. Derived from the seed, worth nothing elsewhere.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoHighLevelAccount {
    pub location_id: String,
    pub company_id: String,
    /// Private integration token, `pit-…`.
    pub private_token: String,
    /// Location API key of the first generation: a JWT whose payload holds `location_id`.
    pub v1_key: String,
    /// `<app id>-<suffix>`.
    pub client_id: String,
    pub client_secret: String,
    /// Base64 of the SubjectPublicKeyInfo that verifies `X-GHL-Signature`.
    pub webhook_public_key: String,
}

impl GoHighLevelAccount {
    pub(crate) fn derive(seed: u64, business: &Business, webhook_public_key: String) -> GoHighLevelAccount {
        let secret = |n| uuid(&mut random(seed, Kind::Secret, n));
        let claims = json!({"location_id": business.location, "company_id": business.company, "version": 1,
            "iat": 1_600_000_000_000_i64, "sub": business.users[0].id});
        let app = secret(3).replace('-', "");
        GoHighLevelAccount {
            location_id: business.location.to_string(),
            company_id: business.company.to_string(),
            private_token: format!("pit-{}", secret(1)),
            v1_key: jwt(&json!({"alg": "HS256", "typ": "JWT"}), &claims, &secret(2)),
            client_id: format!("{}-{}", &app[..24], &app[24..]),
            client_secret: secret(4),
            webhook_public_key,
        }
    }
}
