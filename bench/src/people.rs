//! Made-up people, as many as are asked for. The same number is always the same person.

use std::ops::Range;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use store::Tenant;
use store::contacts::{self, NewContact};
use uuid::Uuid;

const FIRST: [&str; 60] = [
    "Adela",
    "Agnes",
    "Albert",
    "Alma",
    "Amanda",
    "Anton",
    "Arthur",
    "Astrid",
    "Beatrice",
    "Bernard",
    "Bruno",
    "Camilla",
    "Carlos",
    "Cecilia",
    "Clara",
    "Conrad",
    "Daniela",
    "Dominic",
    "Edgar",
    "Eleanor",
    "Emilia",
    "Ernest",
    "Esther",
    "Fabian",
    "Felicity",
    "Florence",
    "Gabriel",
    "Georgia",
    "Gilbert",
    "Harriet",
    "Hector",
    "Helena",
    "Hugo",
    "Imogen",
    "Ingrid",
    "Isaac",
    "Jasper",
    "Josephine",
    "Julian",
    "Katarina",
    "Leonard",
    "Lucinda",
    "Magnus",
    "Marianne",
    "Matilda",
    "Maurice",
    "Miranda",
    "Nathaniel",
    "Octavia",
    "Oscar",
    "Penelope",
    "Philippa",
    "Rosalind",
    "Rupert",
    "Sebastian",
    "Theodora",
    "Tobias",
    "Ursula",
    "Valentin",
    "Winifred",
];
const BEGIN: [&str; 36] = [
    "Alder", "Ash", "Bel", "Birch", "Black", "Bram", "Bright", "Cald", "Chester", "Cran", "Dun", "Elder", "Fair",
    "Fern", "Gold", "Gran", "Hart", "Hazel", "Holm", "Ken", "Lang", "Lind", "March", "Mel", "North", "Oak", "Pem",
    "Raven", "Red", "Silver", "Stan", "Thorn", "Wal", "West", "Win", "Wolf",
];
const MIDDLE: [&str; 10] = ["", "a", "en", "er", "ing", "is", "le", "o", "or", "um"];
const END: [&str; 18] = [
    "bank", "berg", "brook", "by", "combe", "dale", "den", "field", "ford", "ham", "ley", "man", "more", "stead",
    "ster", "ton", "well", "worth",
];
const TRADE: [&str; 12] = [
    "Bakery",
    "Botanicals",
    "Builders",
    "Clinic",
    "Freight",
    "Gardens",
    "Hardware",
    "Labels",
    "Packaging",
    "Print",
    "Roasters",
    "Supply",
];

/// A person as a sync would bring it.
pub fn person(number: u64) -> NewContact {
    let mut random = fastrand::Rng::with_seed(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut pick = |words: &[&str]| words[random.usize(0..words.len())].to_owned();
    let (first, last) = (pick(&FIRST), pick(&BEGIN) + &pick(&MIDDLE) + &pick(&END));
    let company = format!("{}{} {}", pick(&BEGIN), pick(&END), pick(&TRADE));
    let (name, email) = (format!("{first} {last}"), format!("{first}.{last}{number}@mail.example").to_lowercase());
    let phone = format!("+1555{:07}", number % 10_000_000);
    let data = json!({"id": format!("p{number}"), "contactName": name, "companyName": company, "email": email, "phone": phone,
        "type": "lead", "country": "US", "dnd": false, "customFields": [{"id": "size", "value": "small"}]});
    NewContact {
        vendor_id: format!("p{number}"),
        data,
        name: Some(name),
        first_name: Some(first),
        company: Some(company),
        email: Some(email),
        phone: Some(phone),
        kind: Some("lead".into()),
        tags: vec!["newsletter".into()],
        created_at: Some(time(number)),
        last_activity: Some(time(number)),
        importance: (number % 10 + 1) as i16,
        ..NewContact::default()
    }
}

/// Writes these people, as a sync writes its pages.
pub async fn fill(tenant: &Tenant, numbers: Range<u64>) -> Result<()> {
    let (run, numbers) = (Uuid::new_v4(), numbers.collect::<Vec<u64>>());
    for page in numbers.chunks(1_000) {
        let page: Vec<NewContact> = page.iter().map(|number| person(*number)).collect();
        contacts::upsert_batch(tenant, "bench", run, &page, time(0)).await?;
    }
    Ok(())
}

/// Minutes after a day in the past.
fn time(minutes: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + (minutes % 1_000_000) as i64 * 60, 0).unwrap_or_default()
}
