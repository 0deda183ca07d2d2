//! What the business sells on Amazon.

use crate::business::{Kind, random};

/// A product with its listing.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub sku: String,
    pub asin: String,
    pub fnsku: String,
    pub title: String,
    /// Cents.
    pub price: i64,
}

/// Name, short name, price of a pack in cents.
const CONTAINERS: &[(&str, &str, i64)] = &[
    ("20 Dram Grinder Vial", "20D", 1_299),
    ("40 Dram Grinder Vial", "40D", 1_699),
    ("Pop-Top Jar, Smell Resistant", "POP", 2_149),
    ("Pre-Roll Tube", "TUBE", 1_875),
    ("Glass Concentrate Jar", "CONC", 2_995),
    ("Child-Resistant Exit Bag", "EXIT", 3_450),
];

const COLOURS: &[&str] = &["Black", "White", "Clear", "Red", "Blue", "Green", "Purple", "Pink", "Gold", "Silver"];

/// Sixty: more than one page of the inventory.
pub(super) fn goods(seed: u64) -> Vec<Good> {
    let kinds = CONTAINERS.iter().flat_map(|kind| COLOURS.iter().map(move |colour| (kind, colour)));
    (0u64..).zip(kinds).map(|(n, (kind, colour))| good(seed, n, kind, colour)).collect()
}

fn good(seed: u64, n: u64, (name, short, price): &(&str, &str, i64), colour: &str) -> Good {
    let mut random = random(seed, Kind::Stock, (1 << 40) | n);
    let mut letters = |count: usize| (0..count).map(|_| random.alphanumeric().to_ascii_uppercase()).collect::<String>();
    Good {
        sku: format!("MT-{short}-{}", colour.to_uppercase()),
        asin: format!("B0{}", letters(8)),
        fnsku: format!("X00{}", letters(7)),
        title: format!("MedTainer {name}, {colour}, Pack of {}", if *price < 2_000 { 3 } else { 12 }),
        price: *price,
    }
}
