//! The orders of the business, past and to come: each depends on the seed and its number.

use std::sync::Arc;

use super::goods::{Good, goods};
use crate::{
    business::{Business, Contact, Kind, random},
    clock::{DAY, HOUR, MINUTE, Millis},
    world::World,
};

/// With 1,206 contacts: about 620 in the past and 90 that are still to come.
const SALES: usize = 710;
const CONTACTS: usize = 1_206;
const PAST: Millis = 400 * DAY;
const FUTURE: Millis = 58 * DAY;
/// Amazon holds an order back for half an hour.
const PENDING: Millis = 30 * MINUTE;

/// An order with its whole story.
#[derive(Clone, Debug)]
pub(super) struct Sale {
    pub id: String,
    pub created: Millis,
    pub ship_by: Millis,
    pub shipped: Millis,
    pub cancelled: Option<Millis>,
    /// The first of several parcels.
    pub partly: Option<Millis>,
    /// Amazon ships it.
    pub fba: bool,
    pub service: &'static str,
    pub lines: Vec<Line>,
    pub buyer: Buyer,
}

/// An article of an order.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub id: String,
    pub good: Good,
    pub quantity: i64,
}

/// Who bought; the same name, company, address and phone as the contact where it is one.
#[derive(Clone, Debug)]
pub(super) struct Buyer {
    pub name: String,
    pub company: Option<String>,
    pub relay: String,
    pub purchase_order: Option<String>,
    pub street: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub phone: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Unshipped,
    PartiallyShipped,
    Shipped,
    Cancelled,
}

/// All of them, by the moment at which they were placed.
pub(super) fn sales(world: &World) -> Arc<Vec<Sale>> {
    let trade = world.amazon().trade.clone();
    let start = world.options.now.timestamp_millis();
    trade.get_or_init(|| Arc::new(generate(&world.business(), start))).clone()
}

fn generate(business: &Business, now: Millis) -> Vec<Sale> {
    let now = now - now.rem_euclid(1_000);
    let contacts: Vec<&Contact> = business.contacts.iter().collect();
    if contacts.is_empty() {
        return Vec::new();
    }
    let goods = goods(business.seed);
    let count = (SALES * contacts.len()).div_ceil(CONTACTS);
    let mut sales: Vec<Sale> = (0..count).map(|n| sale(business.seed, n as u64, &contacts, &goods, now)).collect();
    sales.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    sales
}

fn sale(seed: u64, n: u64, contacts: &[&Contact], goods: &[Good], now: Millis) -> Sale {
    let random = &mut random(seed, Kind::Sale, n);
    let created = now + (random.i64(-PAST..FUTURE) / 1_000) * 1_000;
    let fba = random.u8(..100) < 45;
    let lines = lines(random, goods);
    let confirmed = created + PENDING;
    let ship_by = (created / DAY + 3) * DAY - 1_000;
    // One parcel in twelve of the merchant leaves too late.
    let late = !fba && random.u8(..12) == 0;
    let shipped = if late { ship_by + random.i64(HOUR..60 * HOUR) } else { random.i64(confirmed..ship_by) };
    let splits = !fba && lines.len() > 1 && random.bool();
    let partly = splits.then(|| confirmed + (shipped - confirmed) / 2);
    let cancelled = (random.u8(..100) < 5).then(|| confirmed + random.i64(MINUTE..5 * HOUR));
    Sale {
        id: format!("11{}-{:07}-{:07}", random.u8(1..5), random.u32(..10_000_000), random.u32(..10_000_000)),
        created,
        ship_by,
        shipped: shipped / 1_000 * 1_000,
        cancelled: cancelled.map(|at| at / 1_000 * 1_000),
        partly: partly.map(|at| at / 1_000 * 1_000),
        fba,
        service: if random.u8(..5) == 0 { "EXPEDITED" } else { "STANDARD" },
        lines,
        buyer: buyer(random, contacts),
    }
}

fn lines(random: &mut fastrand::Rng, goods: &[Good]) -> Vec<Line> {
    let first = random.usize(..goods.len());
    let count = [1, 1, 1, 1, 1, 1, 2, 2, 3][random.usize(..9)];
    let line = |n: usize, random: &mut fastrand::Rng| Line {
        id: format!("{:014}", random.u64(10_000_000_000_000..99_999_999_999_999)),
        good: goods[(first + n * 7) % goods.len()].clone(),
        quantity: [1, 1, 1, 2, 2, 3, 5, 10][random.usize(..8)],
    };
    (0..count).map(|n| line(n, random)).collect()
}

/// Six in ten are people whom the business knows.
fn buyer(random: &mut fastrand::Rng, contacts: &[&Contact]) -> Buyer {
    let place = contacts[random.usize(..contacts.len())];
    let known = random.u8(..10) < 6;
    let other = contacts[random.usize(..contacts.len())];
    let text = |text: &Option<crate::business::Text>| text.as_deref().unwrap_or_default().to_owned();
    let stranger = format!("{} {}", text(&place.first_name), text(&other.first_name));
    let company = place.company.as_deref().filter(|_| known).map(str::to_owned);
    Buyer {
        name: if known { place.name() } else { stranger },
        purchase_order: company.as_ref().filter(|_| random.bool()).map(|_| format!("PO-{}", random.u32(1_000..9_999))),
        company,
        relay: format!("{}@marketplace.amazon.com", (0..14).map(|_| random.lowercase()).collect::<String>()),
        street: place.address.as_deref().filter(|_| known).unwrap_or("100 Main St").to_owned(),
        city: text(&place.city),
        state: text(&place.state),
        postal_code: text(&place.postal_code),
        phone: place.phone.as_deref().filter(|_| known).unwrap_or("+14805550100").to_owned(),
    }
}

impl Sale {
    /// How it stands at this moment, and since when; none before it was placed.
    pub(super) fn state(&self, now: Millis) -> Option<(Status, Millis)> {
        let confirmed = self.created + PENDING;
        let story = [
            (Status::Pending, Some(self.created)),
            (Status::Unshipped, Some(confirmed)),
            (Status::PartiallyShipped, self.partly),
            (Status::Shipped, Some(self.shipped)),
        ];
        let cancelled = self.cancelled.filter(|at| *at < self.shipped && self.partly.is_none_or(|partly| *at < partly));
        let told = story.into_iter().filter_map(|(status, at)| Some((status, at?)));
        let told = told.filter(|(_, at)| cancelled.is_none_or(|end| *at < end));
        told.chain(cancelled.map(|at| (Status::Cancelled, at))).rfind(|(_, at)| *at <= now)
    }

    /// Cents, with nothing but the goods.
    pub(super) fn total(&self) -> i64 {
        self.lines.iter().map(|line| line.good.price * line.quantity).sum()
    }
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "PENDING",
            Status::Unshipped => "UNSHIPPED",
            Status::PartiallyShipped => "PARTIALLY_SHIPPED",
            Status::Shipped => "SHIPPED",
            Status::Cancelled => "CANCELLED",
        }
    }
}
