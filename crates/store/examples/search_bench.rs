//! How long a search takes and whether it finds the right contact, over many made-up contacts:
//!
//!     cargo run --release -p enterprise-mcp-store --example search_bench -- sqlite:///tmp/bench.db 100000
//!
//! The store is filled through `upsert_batch` up to the number asked for and kept, so that a second run only searches.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::contacts::{self, Filter, NewContact};
use store::{OpenOptions, Store, Tenant};
use uuid::Uuid;

const QUERIES: usize = 300;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("usage: search_bench URL CONTACTS")?;
    let wanted: u64 = arguments.next().context("usage: search_bench URL CONTACTS")?.parse()?;
    let store = Store::open(&url, OpenOptions::default()).await?;
    let tenant = store.tenant("main");
    fill(&tenant, wanted).await?;
    println!("{:<34} {:>8} {:>8} {:>8} {:>8}  right first", "queries", "p50 ms", "p95 ms", "p99 ms", "max ms");
    for (name, typos) in [
        ("two words, no typo", [0, 0]),
        ("two words, a typo in the first", [1, 0]),
        ("two words, a typo in the second", [0, 1]),
        ("two words, a typo in each", [1, 1]),
        ("two words, two typos in the second", [0, 2]),
    ] {
        measure(&tenant, wanted, name, typos).await?;
    }
    single_words(&tenant, wanted).await?;
    Ok(store.close().await?)
}

async fn fill(tenant: &Tenant, wanted: u64) -> Result<()> {
    let there = contacts::count(tenant, &Filter::default()).await?;
    let begun = Instant::now();
    let run = Uuid::new_v4();
    let numbers: Vec<u64> = (there..wanted).collect();
    for page in numbers.chunks(1_000) {
        let page: Vec<NewContact> = page.iter().map(|number| person(*number)).collect();
        contacts::upsert_batch(tenant, "bench", run, &page, time(0)).await?;
    }
    if wanted > there {
        let took = begun.elapsed();
        let speed = (wanted - there) as f64 / took.as_secs_f64();
        println!("{} contacts stored in {:.1} s, {speed:.0} a second", wanted - there, took.as_secs_f64());
    }
    Ok(())
}

async fn measure(tenant: &Tenant, wanted: u64, name: &str, typos: [usize; 2]) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut times, mut right, mut misses) = (Vec::new(), 0, Vec::new());
    for _ in 0..QUERIES {
        let meant = person(random.u64(0..wanted)).name.unwrap_or_default();
        let words: Vec<String> = meant
            .to_lowercase()
            .split(' ')
            .zip(typos)
            .map(|(word, typos)| (0..typos).fold(word.to_owned(), |word, _| mistyped(&mut random, &word)))
            .collect();
        let filter = Filter { text: Some(words.join(" ")), ..Default::default() };
        let begun = Instant::now();
        let page = contacts::find(tenant, &filter, 10, None).await?;
        times.push(begun.elapsed());
        let first = page.rows.first().and_then(|row| row.name.clone()).unwrap_or_default();
        right += usize::from(first == meant);
        if first != meant && misses.len() < 4 {
            misses.push(format!("{:?} gave {first:?}, meant {meant:?}", words.join(" ")));
        }
    }
    report(name, times, &format!("{right}/{QUERIES}"));
    misses.iter().for_each(|miss| println!("    {miss}"));
    Ok(())
}

async fn single_words(tenant: &Tenant, wanted: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(8);
    let names: Vec<String> = (0..QUERIES).filter_map(|_| person(random.u64(0..wanted)).name).collect();
    for (kind, typos, word) in [("one first name", 0, 0), ("one last name, a typo", 1, 1), ("a two-letter word", 0, 2)]
    {
        let mut times = Vec::new();
        for name in &names {
            let text = name.to_lowercase();
            let text = if word == 2 { &text[..2] } else { text.split(' ').nth(word).unwrap_or_default() };
            let text = (0..typos).fold(text.to_owned(), |text, _| mistyped(&mut random, &text));
            let filter = Filter { text: Some(text), ..Default::default() };
            let begun = Instant::now();
            contacts::find(tenant, &filter, 10, None).await?;
            times.push(begun.elapsed());
        }
        report(kind, times, "");
    }
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let begun = Instant::now();
        contacts::recent(tenant, 10, None).await?;
        times.push(begun.elapsed());
    }
    report("the ten newest", times, "");
    Ok(())
}

fn report(name: &str, mut times: Vec<Duration>, right: &str) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0;
    println!("{name:<34} {:>8.2} {:>8.2} {:>8.2} {:>8.2}  {right}", at(0.5), at(0.95), at(0.99), at(1.0));
}

/// A letter left out, exchanged, doubled or swapped with the next.
fn mistyped(random: &mut fastrand::Rng, word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = random.usize(0..letters.len() - 1);
    match random.u8(0..4) {
        0 => {
            letters.remove(at);
        }
        1 => letters[at] = random.lowercase(),
        2 => letters.insert(at, letters[at]),
        _ => letters.swap(at, at + 1),
    }
    letters.into_iter().collect()
}

const FIRST: [&str; 96] = [
    "Catherine",
    "Katherine",
    "Heather",
    "Mary",
    "Patricia",
    "Jennifer",
    "Linda",
    "Elizabeth",
    "Barbara",
    "Susan",
    "Jessica",
    "Sarah",
    "Karen",
    "Lisa",
    "Nancy",
    "Betty",
    "Sandra",
    "Margaret",
    "Ashley",
    "Kimberly",
    "Emily",
    "Donna",
    "Michelle",
    "Carol",
    "Amanda",
    "Melissa",
    "Deborah",
    "Stephanie",
    "Rebecca",
    "Sharon",
    "Laura",
    "Cynthia",
    "Dorothy",
    "Amy",
    "Kathleen",
    "Angela",
    "Shirley",
    "Emma",
    "Brenda",
    "Pamela",
    "Nicole",
    "Anna",
    "Samantha",
    "Christine",
    "Debra",
    "Rachel",
    "Carolyn",
    "Janet",
    "James",
    "Robert",
    "John",
    "Michael",
    "David",
    "William",
    "Richard",
    "Joseph",
    "Thomas",
    "Christopher",
    "Charles",
    "Daniel",
    "Matthew",
    "Anthony",
    "Mark",
    "Donald",
    "Steven",
    "Andrew",
    "Paul",
    "Joshua",
    "Kenneth",
    "Kevin",
    "Brian",
    "Timothy",
    "Ronald",
    "George",
    "Jason",
    "Edward",
    "Jeffrey",
    "Ryan",
    "Jacob",
    "Nicholas",
    "Gary",
    "Eric",
    "Jonathan",
    "Stephen",
    "Larry",
    "Justin",
    "Scott",
    "Brandon",
    "Benjamin",
    "Samuel",
    "Gregory",
    "Alexander",
    "Patrick",
    "Frank",
    "Raymond",
    "Jack",
];
const START: [&str; 40] = [
    "Fitz", "Mac", "Har", "Wil", "Ander", "Peter", "John", "Rob", "Thom", "Black", "White", "Green", "Wood", "Hill",
    "Stone", "Bro", "Cart", "Dav", "Ed", "Fern", "Gar", "Hern", "Jack", "Kel", "Lam", "Mor", "Nor", "Oli", "Pat",
    "Quin", "Ros", "San", "Tur", "Val", "Wat", "Young", "Zim", "Beck", "Chan", "Del",
];
const MIDDLE: [&str; 12] = ["", "er", "in", "al", "en", "an", "el", "or", "is", "ing", "ber", "ti"];
const END: [&str; 20] = [
    "son", "gerald", "man", "ez", "ton", "field", "wood", "ley", "worth", "berg", "stein", "ford", "well", "smith",
    "kins", "ard", "ini", "ova", "ski", "dale",
];
const COMPANY: [&str; 30] = [
    "Acme",
    "Globex",
    "Initech",
    "Umbrella",
    "Hooli",
    "Vandelay",
    "Stark",
    "Wayne",
    "Wonka",
    "Cyberdyne",
    "Soylent",
    "Tyrell",
    "Oscorp",
    "Massive",
    "Pied",
    "Blue",
    "Green",
    "Golden",
    "Silver",
    "Northern",
    "Southern",
    "Pacific",
    "Atlantic",
    "Summit",
    "Valley",
    "River",
    "Ocean",
    "Mountain",
    "Prairie",
    "Harbor",
];
const TRADE: [&str; 20] = [
    "Supply",
    "Logistics",
    "Dental",
    "Consulting",
    "Cannabis",
    "Farms",
    "Media",
    "Law",
    "Studios",
    "Foods",
    "Motors",
    "Realty",
    "Health",
    "Labs",
    "Partners",
    "Energy",
    "Systems",
    "Textiles",
    "Brewing",
    "Hardware",
];

fn pick<'a>(random: &mut fastrand::Rng, words: &[&'a str]) -> &'a str {
    words[random.usize(0..words.len())]
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap_or_default()
}

/// The same number is always the same person.
fn person(number: u64) -> NewContact {
    let mut random = fastrand::Rng::with_seed(number);
    let first = pick(&mut random, &FIRST);
    let last = format!("{}{}{}", pick(&mut random, &START), pick(&mut random, &MIDDLE), pick(&mut random, &END));
    let company = format!("{} {} {}", pick(&mut random, &COMPANY), pick(&mut random, &TRADE), random.u16(1..500));
    let email =
        format!("{}.{}{}@{}.example", first, last, random.u16(0..1_000), company.replace(' ', "-")).to_lowercase();
    let name = format!("{first} {last}");
    let phone = format!("+1 {} {} {:04}", random.u16(200..999), random.u16(200..999), random.u16(0..10_000));
    NewContact {
        vendor_id: format!("v{number}"),
        data: json!({ "id": number, "contactName": name, "companyName": company, "email": email, "phone": phone }),
        name: Some(name),
        first_name: Some(first.to_owned()),
        company: Some(company),
        email: Some(email),
        phone: Some(phone),
        kind: Some("lead".to_owned()),
        tags: vec![["new", "vip", "newsletter", "customer"][random.usize(0..4)].to_owned()],
        created_at: Some(time(number as i64)),
        last_activity: Some(time(random.i64(0..5_000_000))),
        importance: random.i16(1..11),
        ..Default::default()
    }
}
