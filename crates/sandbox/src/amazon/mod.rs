//! Amazon's Selling Partner API: one seller in North America, with Login with Amazon beside it.
//!
//! Rows are derived from the seed and the clock: an order is placed, confirmed, shipped as time goes by.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::Query,
    http::StatusCode,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::{
    business::{Kind, random, uuid},
    clock::HOUR,
    vendor::{Account, Vendor},
    world::World,
};
use gate::Bucket;
use reply::Refusal;
use trade::Sale;

mod gate;
mod goods;
mod inventory;
mod login;
mod orders;
mod page;
mod reply;
mod reports;
mod sales;
mod trade;

/// Amazon.com, where the business sells.
const US: &str = "ATVPDKIKX0DER";
/// Amazon.ca, where it is registered and sells nothing.
const CANADA: &str = "A2EUQ1WTGCTBG2";

/// What Amazon knows of the seller.
pub(crate) struct Shop {
    seed: u64,
    issued: u64,
    /// Access tokens and when they end.
    access: HashMap<String, i64>,
    /// Refresh tokens stay good; Amazon does not rotate them.
    refresh: Vec<String>,
    /// Codes of consents and when they end.
    codes: HashMap<String, i64>,
    /// By operation.
    buckets: HashMap<&'static str, Bucket>,
    /// Reports that were asked for over the API: id, type, moment.
    asked_for: Vec<(String, String, i64)>,
    /// Made when somebody first asks.
    trade: Arc<OnceLock<Arc<Vec<Sale>>>>,
}

impl Shop {
    pub(crate) fn new(seed: u64) -> Shop {
        let refresh = vec![format!("Atzr|{}", secret(seed, 3))];
        let (access, codes, buckets) = (HashMap::new(), HashMap::new(), HashMap::new());
        Shop { seed, issued: 0, access, refresh, codes, buckets, asked_for: Vec::new(), trade: Arc::default() }
    }

    /// A fresh access token.
    fn issue(&mut self, now: i64) -> String {
        self.issued += 1;
        let token = format!("Atza|{}", secret(self.seed, 100 + self.issued));
        self.access.insert(token.clone(), now + HOUR);
        token
    }

    fn client_id(&self) -> String {
        format!("amzn1.application-oa2-client.{}", secret(self.seed, 1))
    }

    fn client_secret(&self) -> String {
        format!("amzn1.oa2-cs.v1.{}", secret(self.seed, 2))
    }

    /// The application that sellers consent to.
    fn application_id(&self) -> String {
        format!("amzn1.sp.solution.{}", secret(self.seed, 5))
    }

    /// The merchant token.
    fn seller(&self) -> String {
        format!("A{}", &secret(self.seed, 4)[..13].to_uppercase())
    }
}

/// Of a stream that no other vendor uses.
fn secret(seed: u64, n: u64) -> String {
    uuid(&mut random(seed, Kind::Sale, (1 << 40) | n)).replace('-', "")
}

pub(crate) const VENDOR: Vendor = Vendor { name: "amazon", router, refuse, expire, account, at_once: None };

fn router(world: &Arc<World>) -> Router<Arc<World>> {
    let api = Router::new()
        .route("/orders/2026-01-01/orders", get(orders::search))
        .route("/orders/2026-01-01/orders/{order}", get(orders::get))
        .route("/fba/inventory/v1/summaries", get(inventory::summaries))
        .route("/sales/v1/orderMetrics", get(sales::metrics))
        .route("/reports/2021-06-30/reports", get(reports::list).post(reports::create))
        .route("/reports/2021-06-30/reports/{report}", get(reports::get))
        .route("/sellers/v1/marketplaceParticipations", get(participations))
        .layer(from_fn_with_state(world.clone(), gate::admit));
    Router::new()
        .merge(api)
        .route("/auth/o2/token", post(login::token))
        .route("/apps/authorize/consent", get(login::consent))
        .fallback(|| async { Refusal::not_found("The requested resource doesn't exist.") })
}

fn refuse(status: StatusCode) -> Response {
    Refusal::with_status(status).into_response()
}

fn expire(world: &World, token: &str) {
    world.amazon().access.remove(token);
}

fn account(world: &World, url: &str) -> Account {
    let now = world.now();
    let mut shop = world.amazon();
    let config = json!({
        "base_url": url,
        "marketplace_ids": [US],
        "seller_id": shop.seller(),
        "application_id": shop.application_id(),
        "application_version": "beta",
        "token_url": format!("{url}/auth/o2/token"),
        "authorize_url": format!("{url}/apps/authorize/consent"),
    });
    Account::new(config)
        .with("client_id", shop.client_id())
        .with("client_secret", shop.client_secret())
        .with("refresh_token", shop.refresh[0].clone())
        .with("access_token", shop.issue(now))
}

async fn participations() -> axum::Json<Value> {
    let place = |id: &str, name: &str, country: &str, currency: &str, domain: &str| {
        json!({
            "marketplace": {"id": id, "name": name, "countryCode": country, "defaultCurrencyCode": currency,
                "defaultLanguageCode": format!("en_{country}"), "domainName": domain},
            "participation": {"isParticipating": true, "hasSuspendedListings": false},
            "storeName": "MedTainer",
        })
    };
    axum::Json(json!({"payload": [
        place(US, "Amazon.com", "US", "USD", "www.amazon.com"),
        place(CANADA, "Amazon.ca", "CA", "CAD", "www.amazon.ca"),
    ]}))
}

/// The query as pairs; Amazon writes lists with commas, and takes repeated names too.
struct Asked(HashMap<String, String>);

impl Asked {
    fn of(pairs: Vec<(String, String)>) -> Asked {
        let mut asked: HashMap<String, String> = HashMap::new();
        for (name, value) in pairs {
            let entry = asked.entry(name).or_default();
            *entry = if entry.is_empty() { value } else { format!("{entry},{value}") };
        }
        Asked(asked)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn list(&self, name: &str) -> Vec<&str> {
        self.text(name).map(|text| text.split(',').map(str::trim).collect()).unwrap_or_default()
    }

    /// A list whose members are known.
    fn among(&self, name: &str, known: &[&str]) -> Result<Vec<&str>, Refusal> {
        let list = self.list(name);
        match list.iter().find(|value| !known.contains(value)) {
            Some(wrong) => Err(Refusal::invalid(format!("Invalid value '{wrong}' for {name}"))),
            None => Ok(list),
        }
    }

    /// ISO 8601 with a zone.
    fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let date = chrono::DateTime::parse_from_rfc3339(text)
            .map_err(|_| Refusal::invalid(format!("{name} is not a date in ISO 8601")))?;
        Ok(Some(date.timestamp_millis()))
    }

    fn number(&self, name: &str, least: usize, most: usize, usual: usize) -> Result<usize, Refusal> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| Refusal::invalid(format!("{name} must be between {least} and {most}")))
    }

    /// The marketplaces; the seller takes part in two.
    fn marketplaces(&self) -> Result<Vec<&str>, Refusal> {
        let list = self.list("marketplaceIds");
        let plausible = |id: &&str| id.starts_with('A') && (12..=14).contains(&id.len());
        if let Some(wrong) = list.iter().find(|id| !plausible(id)) {
            return Err(Refusal::invalid(format!("Marketplace ID {wrong} is invalid")));
        }
        match list.iter().all(|id| [US, CANADA].contains(id)) {
            true => Ok(list),
            false => Err(Refusal::denied("")),
        }
    }

    /// The same for the same question, whatever page is asked for.
    fn fingerprint(&self, without: &[&str]) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
        pairs.sort();
        format!("{pairs:?}")
    }
}

type Pairs = Query<Vec<(String, String)>>;
