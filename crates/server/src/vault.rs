//! The vault: secrets are sealed before they reach the database.
//!
//! XChaCha20-Poly1305 under a data key of the tenant, which is itself sealed by the master key. The master key stands in
//! a file or in the environment, never in the database. What is sealed is bound to its tenant, ecosystem and row, so
//! that it cannot be moved to another.

use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sdk::{Error, Result};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use store::Tenant;
use store::vault::{self as rows, TenantKey};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::Config;
use crate::random;

/// The bytes of a key, and of a nonce.
const KEY: usize = 32;
const NONCE: usize = 24;

/// Seals and opens secrets.
pub struct Vault {
    /// Where the master key is, unless the environment has it.
    file: PathBuf,
    given: Option<Master>,
    clock: Clock,
}

/// A secret that only its row can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    pub bytes: Vec<u8>,
}

#[derive(Clone)]
struct Master(XChaCha20Poly1305);

/// A tenant's key, ready for use.
pub struct DataKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// The vault of an installation. Its key is read, or made, when the first secret comes.
    pub fn new(config: &Config, clock: &Clock) -> Result<Vault> {
        let given = config.secrets.get("MASTER_KEY").map(|text| Master::read(text.expose_secret(), "MASTER_KEY"));
        let file = config.server.data_dir.join("master.key");
        Ok(Vault { file, given: given.transpose()?, clock: clock.clone() })
    }

    /// The key that new secrets of this tenant are sealed with; the first time it is made.
    pub async fn current(&self, tenant: &Tenant) -> Result<DataKey> {
        let known = rows::keys(tenant).await.map_err(crate::unavailable)?;
        match known.first() {
            Some(key) => self.unwrapped(tenant, key),
            None => self.make_key(tenant).await,
        }
    }

    /// The key that something was sealed with.
    pub async fn key(&self, tenant: &Tenant, id: &str) -> Result<DataKey> {
        let known = rows::keys(tenant).await.map_err(crate::unavailable)?;
        let missing = || Error::internal(format!("the vault has no key {id}; was the database restored in parts?"));
        self.unwrapped(tenant, known.iter().find(|key| key.key_id == id).ok_or_else(missing)?)
    }

    /// Makes a new key for this tenant; what is sealed from now on uses it.
    pub async fn make_key(&self, tenant: &Tenant) -> Result<DataKey> {
        let (id, bytes) = (Uuid::now_v7().to_string(), random::bytes::<KEY>()?);
        let master = self.master(true)?;
        let wrapped = seal(&master.0, &bytes, &key_context(tenant, &id))?;
        let key = TenantKey { key_id: id.clone(), wrapped };
        rows::put_key(tenant, &key, self.clock.now()).await.map_err(crate::unavailable)?;
        Ok(DataKey { id, cipher: XChaCha20Poly1305::new(&Key::from(bytes)) })
    }

    /// Seals this tenant's keys with a new master key, which takes the old one's place in its file.
    pub async fn change_master(&self, tenants: &[Tenant]) -> Result<()> {
        if self.given.is_some() {
            return Err(Error::invalid_input(
                "the master key comes from MASTER_KEY; unset it and let the file have it, then change it",
            ));
        }
        let (before, next) = (self.master(true)?, self.next_file());
        // Both keys are on the disk until every tenant's key is sealed with the new one. The one that a change left which
        // was cut off is gone on with: some keys are sealed with it already.
        let after = read_or_make(&next)?;
        for tenant in tenants {
            for key in rows::keys(tenant).await.map_err(crate::unavailable)? {
                let context = key_context(tenant, &key.key_id);
                let Ok(plain) = open(&before.0, &key.wrapped, &context) else { continue };
                let key = TenantKey { wrapped: seal(&after.0, &plain, &context)?, ..key };
                rows::put_key(tenant, &key, self.clock.now()).await.map_err(crate::unavailable)?;
            }
        }
        std::fs::rename(&next, &self.file).map_err(|e| unwritten(&self.file, &e))
    }

    fn unwrapped(&self, tenant: &Tenant, key: &TenantKey) -> Result<DataKey> {
        let context = key_context(tenant, &key.key_id);
        let mut masters = vec![self.master(false)?];
        // A change of the master key that was cut off left both.
        masters.extend(std::fs::read_to_string(self.next_file()).ok().and_then(|text| Master::read(&text, "").ok()));
        let plain = masters.iter().find_map(|master| open(&master.0, &key.wrapped, &context).ok());
        let plain: Option<[u8; KEY]> = plain.and_then(|plain| plain.try_into().ok());
        let wrong = || {
            Error::unavailable(format!(
                "the master key does not open the vault; give back the one it was made with ({} or MASTER_KEY)",
                self.file.display()
            ))
        };
        let cipher = XChaCha20Poly1305::new(&Key::from(plain.ok_or_else(wrong)?));
        Ok(DataKey { id: key.key_id.clone(), cipher })
    }

    fn master(&self, make: bool) -> Result<Master> {
        if let Some(given) = &self.given {
            return Ok(given.clone());
        }
        match std::fs::read_to_string(&self.file) {
            Ok(text) => Master::read(&text, &self.file.display().to_string()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && make => read_or_make(&self.file),
            Err(e) => {
                let message =
                    format!("the master key {} cannot be read; restore it, or set MASTER_KEY", self.file.display());
                Err(Error::unavailable(message).with_source(e))
            }
        }
    }

    fn next_file(&self) -> PathBuf {
        self.file.with_extension("key.next")
    }
}

impl DataKey {
    /// Seals a secret for this place: the tenant, the ecosystem and the row.
    pub fn seal(&self, plain: &[u8], place: &str) -> Result<Sealed> {
        Ok(Sealed { key_id: self.id.clone(), bytes: seal(&self.cipher, plain, place)? })
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Vec<u8>> {
        open(&self.cipher, sealed, place)
    }

    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Master {
    /// 64 hexadecimal digits, or any longer text, from which the key is derived.
    fn read(text: &str, name: &str) -> Result<Master> {
        let text = text.trim();
        let key: Option<[u8; KEY]> = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        if key.is_none() && text.len() < KEY {
            return Err(Error::invalid_input(format!(
                "{name} is too short for a master key: give 64 hexadecimal digits (openssl rand -hex 32)"
            )));
        }
        let key = key.unwrap_or_else(|| Sha256::digest(text).into());
        Ok(Master(XChaCha20Poly1305::new(&Key::from(key))))
    }
}

fn key_context(tenant: &Tenant, id: &str) -> String {
    format!("{}|key|{id}", tenant.id())
}

/// Seals with a random secret that somebody else keeps: whoever reads the database cannot open it.
pub fn seal_with(secret: &str, plain: &[u8], context: &str) -> Result<Vec<u8>> {
    seal(&cipher_of(secret), plain, context)
}

/// Opens what [`seal_with`] sealed.
pub fn open_with(secret: &str, sealed: &[u8], context: &str) -> Result<Vec<u8>> {
    open(&cipher_of(secret), sealed, context)
}

/// The plain SHA-256 of such a secret stands beside the row, so the key must be another.
fn cipher_of(secret: &str) -> XChaCha20Poly1305 {
    let key: [u8; KEY] = Sha256::digest(format!("sealed with\0{secret}")).into();
    XChaCha20Poly1305::new(&Key::from(key))
}

/// The nonce, then the cipher text.
fn seal(cipher: &XChaCha20Poly1305, plain: &[u8], context: &str) -> Result<Vec<u8>> {
    let nonce = random::bytes::<NONCE>()?;
    let payload = Payload { msg: plain, aad: context.as_bytes() };
    let sealed =
        cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::internal("a secret was not sealed"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(cipher: &XChaCha20Poly1305, sealed: &[u8], context: &str) -> Result<Vec<u8>> {
    let refused =
        || Error::internal("a secret of the vault was changed, or belongs elsewhere; connect the account again");
    let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or_else(refused)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| refused())?;
    let payload = Payload { msg: sealed, aad: context.as_bytes() };
    cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| refused())
}

/// The master key in this file. Where there is none a new one is written; another process may be first.
fn read_or_make(file: &Path) -> Result<Master> {
    write(file, &hex::encode(random::bytes::<KEY>()?))?;
    let text = std::fs::read_to_string(file).map_err(|e| unwritten(file, &e))?;
    Master::read(&text, &file.display().to_string())
}

/// Writes a secret that only its owner may read; a file that is there already stays.
fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| unwritten(path, &e))?;
    }
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| unwritten(path, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(unwritten(path, &e)),
    }
}

fn unwritten(path: &Path, cause: &std::io::Error) -> Error {
    Error::unavailable(format!("{} cannot be written: {cause}; give this user the right to", path.display()))
}
