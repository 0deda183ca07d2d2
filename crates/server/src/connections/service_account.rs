//! A service account: it signs for its access tokens (RFC 7523) with the key of its key file.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use sdk::{Error, Result};
use serde::Deserialize;
use serde_json::json;

/// Whom an assertion is for, whatever address the token endpoint has.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// What of a key file is needed.
#[derive(Deserialize)]
struct Fields {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// A key file, ready to sign.
pub(super) struct KeyFile {
    issuer: String,
    id: Option<String>,
    pair: RsaKeyPair,
    scopes: String,
    subject: Option<String>,
    pub(super) token_uri: Option<String>,
}

impl KeyFile {
    /// Reads the JSON of a key file, or the file at this path.
    pub(super) fn read(text: &str, scopes: &[&str], subject: Option<String>) -> Result<KeyFile> {
        let text = text.trim();
        let json = if text.starts_with('{') {
            text.to_owned()
        } else {
            let unread = |e| Error::invalid_input(format!("the key file {text} cannot be read")).with_source(e);
            std::fs::read_to_string(text).map_err(unread)?
        };
        let unknown = || Error::invalid_input("this is not the JSON key file of a service account");
        let fields: Fields = serde_json::from_str(&json).map_err(|e| unknown().with_source(e))?;
        let body: String = fields.private_key.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body.trim()).map_err(|e| unknown().with_source(e))?;
        let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| unknown())?;
        Ok(KeyFile {
            issuer: fields.client_email,
            id: fields.private_key_id,
            pair,
            scopes: scopes.join(" "),
            subject,
            token_uri: fields.token_uri,
        })
    }

    /// A JWT that is good for an hour.
    pub(super) fn assertion(&self, now: DateTime<Utc>) -> Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.id});
        let mut claims = json!({
            "iss": self.issuer,
            "scope": self.scopes,
            "aud": AUDIENCE,
            "iat": now.timestamp(),
            "exp": now.timestamp() + 3600,
        });
        if let Some(subject) = &self.subject {
            claims["sub"] = json!(subject);
        }
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| Error::internal("the service account's key could not sign"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
