//! Makes the business from a seed: every record depends on the seed, its index and the present.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

use super::{
    Appointment, Business, Calendar, Contact, Contacts, Conversation, CustomField, Deals, Id, Kind, Note, Opportunity,
    Pipeline, Task, Text, User, random, ties, uuid, words,
};
use crate::clock::{DAY, HOUR, MINUTE, Millis, iso};

/// The numbers of a business with 1,206 contacts; others are in proportion.
const CONTACTS: usize = 1_206;
const OPPORTUNITIES: usize = 420;
const CONVERSATIONS: usize = 780;
const NOTES: usize = 300;
const TASKS: usize = 150;
const APPOINTMENTS: usize = 96;

pub(super) fn business(seed: u64, count: usize, now: Millis) -> Business {
    // Whole seconds, so that the first page of a fresh sandbox has the same bytes on every machine.
    let now = now - now.rem_euclid(1_000);
    let mut business = shell(seed);
    let users: Vec<Id> = business.users.iter().map(|user| user.id).collect();
    business.contacts = contacts(seed, count, now, &users, &business.custom_fields);
    let ids: Vec<(Id, Millis, Millis)> =
        business.contacts.iter().map(|contact| (contact.id, contact.added, contact.last_activity)).collect();
    if ids.is_empty() {
        return business;
    }
    let some = |n: usize| (n * count).div_ceil(CONTACTS);
    business.opportunities = (0..some(OPPORTUNITIES)).map(|n| opportunity(&business, n as u64, &ids, now)).collect();
    let partners = ties::partners(&business.contacts, some(CONVERSATIONS), now);
    business.conversations =
        (0u64..).zip(partners).map(|(n, partner)| conversation(seed, n, ids[partner], &users)).collect();
    business.notes = (0..some(NOTES)).map(|n| note(seed, n as u64, &ids, &users)).collect();
    business.tasks = (0..some(TASKS)).map(|n| task(seed, n as u64, &ids, &users, now)).collect();
    let meetings = some(APPOINTMENTS);
    business.appointments = (0..meetings).map(|n| appointment(&business, n as u64, &ids, now)).collect();
    business
}

fn shell(seed: u64) -> Business {
    let users = users(seed);
    Business {
        seed,
        location: Id::derive(seed, Kind::Location, 0),
        company: Id::derive(seed, Kind::Company, 0),
        pipelines: pipelines(seed),
        calendars: calendars(seed, &users),
        calendar_group: Id::derive(seed, Kind::Group, 0),
        custom_fields: custom_fields(seed),
        tags: tags(seed),
        users,
        contacts: Contacts::default(),
        opportunities: Deals::default(),
        conversations: Vec::new(),
        notes: Vec::new(),
        tasks: Vec::new(),
        appointments: Vec::new(),
        effects: Vec::new(),
        created: 0,
    }
}

fn users(seed: u64) -> Vec<User> {
    let people = [
        ("Rosalind", "Ferrer", "rosalind@medtainer.example", "+12135550101", "admin"),
        ("Dmitri", "Hall", "dmitri@medtainer.example", "+12135550102", "user"),
        ("Keisha", "Lund", "keisha@medtainer.example", "+12135550103", "user"),
        ("Tomás", "Iverson", "tomas@medtainer.example", "+12135550104", "user"),
    ];
    let user = |(n, (first_name, last_name, email, phone, role))| User {
        id: Id::derive(seed, Kind::User, n),
        first_name,
        last_name,
        email,
        phone,
        role,
    };
    (0u64..).zip(people).map(user).collect()
}

fn pipelines(seed: u64) -> Vec<Pipeline> {
    let sales = &["New lead", "Samples sent", "Quote sent", "Negotiation", "Order placed"][..];
    let accounts = &["Reorder due", "Contacted", "Order confirmed", "Shipped", "Paid"][..];
    let pipeline = |(n, (name, stages)): (u64, (&'static str, &[&'static str]))| Pipeline {
        id: Id::derive(seed, Kind::Pipeline, n),
        name,
        stages: (0u64..)
            .zip(stages)
            .map(|(s, stage)| (uuid(&mut random(seed, Kind::Stage, n * 16 + s)), *stage))
            .collect(),
    };
    (0u64..).zip([("Wholesale sales", sales), ("Accounts and reorders", accounts)]).map(pipeline).collect()
}

fn calendars(seed: u64, users: &[User]) -> Vec<Calendar> {
    let kinds = [
        ("Product demo", "Thirty minutes with samples on camera", 30),
        ("Warehouse visit", "See the stock and the print line", 60),
        ("Account review", "Volumes, prices, next orders", 45),
    ];
    let calendar = |(n, (name, description, minutes))| Calendar {
        id: Id::derive(seed, Kind::Calendar, n),
        name,
        description,
        minutes,
        user: users[usize::try_from(n).unwrap_or(0) % users.len()].id,
    };
    (0u64..).zip(kinds).map(calendar).collect()
}

fn custom_fields(seed: u64) -> Vec<CustomField> {
    let tiers = &["Bronze", "Silver", "Gold"][..];
    let fields = [
        ("Industry", "industry", "SINGLE_OPTIONS", INDUSTRIES, "contact"),
        ("License number", "license_number", "TEXT", &[][..], "contact"),
        ("Monthly volume", "monthly_volume", "NUMERICAL", &[], "contact"),
        ("Preferred container", "preferred_container", "SINGLE_OPTIONS", words::CONTAINERS, "contact"),
        ("Account tier", "account_tier", "SINGLE_OPTIONS", tiers, "contact"),
        ("Next reorder", "next_reorder", "DATE", &[], "contact"),
        ("Container", "container", "SINGLE_OPTIONS", words::CONTAINERS, "opportunity"),
        ("Competitor", "competitor", "TEXT", &[], "opportunity"),
    ];
    let field = |(n, (name, key, data_type, options, model)): (u64, (&str, &str, &str, &[&str], &str))| CustomField {
        id: Id::derive(seed, Kind::CustomField, n),
        name: name.to_owned(),
        key: format!("{model}.{key}"),
        data_type: data_type.to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        model: model.to_owned(),
    };
    (0u64..).zip(fields).map(field).collect()
}

const INDUSTRIES: &[&str] = &[
    "Cannabis dispensary",
    "Cannabis cultivation",
    "Medical clinic",
    "Distribution",
    "Smoke shop",
    "Packaging",
    "Private",
];

fn tags(seed: u64) -> Vec<(Id, String)> {
    let mut names: Vec<&str> = words::TAGS.to_vec();
    names.extend(words::TRADES.iter().map(|(_, _, tag)| *tag));
    names.sort_unstable();
    names.dedup();
    (0u64..).zip(names).map(|(n, name)| (Id::derive(seed, Kind::Tag, n), name.to_owned())).collect()
}

fn contacts(seed: u64, count: usize, now: Millis, users: &[Id], fields: &[CustomField]) -> Contacts {
    let mut taken = HashSet::with_capacity(count);
    let mut contacts = Vec::with_capacity(count);
    for n in 0..count {
        let mut contact = contact(seed, n, count, now, users, fields);
        // Data that people typed has namesakes, but two of them never share a mailbox here.
        if let Some(email) = &contact.email
            && !taken.insert(fingerprint(email))
        {
            contact.email = Some(compact(email.replacen('@', &format!("{n}@"), 1)));
        }
        contacts.push(contact);
    }
    Contacts::bulk(contacts)
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Without the spare room that formatting leaves; it adds up over a hundred thousand contacts.
fn compact(mut text: String) -> Text {
    text.shrink_to_fit();
    text.into()
}

fn contact(seed: u64, n: usize, count: usize, now: Millis, users: &[Id], fields: &[CustomField]) -> Contact {
    let random = &mut random(seed, Kind::Contact, n as u64);
    let first = *pick(random, words::FIRST);
    let last = *pick(random, words::LAST);
    let place = pick(random, words::CITIES);
    let (company, industry, trade) = employer(random, seed, n, count);
    let added = now - span(random, 1095 * DAY);
    let email = (random.u8(..100) >= 12).then(|| compact(email(random, first, last, company.as_deref(), n)));
    let customer = random.u8(..100) < 48;
    let tags = contact_tags(random, trade, customer);
    let last_activity = now - ties::idle(random, customer, !tags.is_empty()).min(now - added);
    Contact {
        id: Id::derive(seed, Kind::Contact, n as u64),
        first_name: Some(first.into()),
        last_name: (random.u8(..100) >= 3).then(|| last.into()),
        website: company.as_deref().filter(|_| random.bool()).map(|name| compact(format!("https://{}", domain(name)))),
        company,
        email,
        phone: (random.u8(..100) >= 4).then(|| compact(format!("+1{}555{:04}", place.3, (n * 7919) % 10_000))),
        kind: if customer { "customer".into() } else { "lead".into() },
        source: (random.u8(..100) >= 8).then(|| (*pick(random, words::SOURCES)).into()),
        tags,
        address: (random.u8(..100) < 70)
            .then(|| compact(format!("{} {}", random.u32(1..9900), pick(random, words::STREETS)))),
        city: Some(place.0.into()),
        state: Some(place.1.into()),
        postal_code: Some(compact(format!("{}{:02}", place.2, random.u8(..100)))),
        country: "US".into(),
        timezone: Some(place.4.into()),
        assigned_to: (random.u8(..100) < 80).then(|| *pick(random, users)),
        dnd: random.u8(..100) < 2,
        dnd_settings: None,
        date_of_birth: None,
        custom_fields: answers(random, fields, industry, customer, now),
        additional_emails: Vec::new(),
        added,
        updated: last_activity,
        last_activity,
    }
}

fn pick<'a, T>(random: &mut fastrand::Rng, list: &'a [T]) -> &'a T {
    &list[random.usize(..list.len())]
}

/// A moment within `most`, to the millisecond.
fn span(random: &mut fastrand::Rng, most: Millis) -> Millis {
    random.i64(HOUR..most)
}

/// Company, industry and the tag that fits. A few companies have many contacts.
fn employer(
    random: &mut fastrand::Rng,
    seed: u64,
    n: usize,
    count: usize,
) -> (Option<Text>, &'static str, &'static str) {
    if [count / 7, count / 3, count / 2 + 1].contains(&n) || (count < 9 && n < 3) {
        return (Some("Acme Supply".into()), "Packaging", "packaging");
    }
    if random.u8(..100) < 15 {
        return (None, "Private", "private");
    }
    let pool = (count / 3).max(4);
    // The bent share makes the first companies of the pool the large ones.
    let share = random.f64();
    let index = (share * share.sqrt() * pool as f64) as u64;
    let own = &mut super::random(seed, Kind::Company, index + 1);
    let (ending, industry, tag) = *pick(own, words::TRADES);
    let (head, middle) = (*pick(own, words::COMPANY_HEAD), *pick(own, words::COMPANY_MIDDLE));
    let name = match own.u8(..3) {
        0 => format!("{head} {ending}"),
        1 => format!("{head}{} {ending}", middle.to_lowercase()),
        _ => format!("{head} {middle} {ending}"),
    };
    (Some(compact(name)), industry, tag)
}

fn email(random: &mut fastrand::Rng, first: &str, last: &str, company: Option<&str>, n: usize) -> String {
    let (first, last) = (ascii(first), ascii(last));
    if let Some(company) = company {
        return format!("{first}.{last}@{}", domain(company));
    }
    let host = ["example.com", "example.net", "example.org"][random.usize(..3)];
    format!("{first}.{last}{}@{host}", n % 1000)
}

fn domain(company: &str) -> String {
    format!("{}.example", ascii(company))
}

/// Lower-case letters and digits only; accents lose their mark.
fn ascii(text: &str) -> String {
    let plain = |letter: char| match letter {
        'á' | 'à' | 'ã' => 'a',
        'é' | 'è' | 'ë' | 'ễ' => 'e',
        'í' => 'i',
        'ó' | 'ö' => 'o',
        'ú' => 'u',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(plain).filter(char::is_ascii_alphanumeric).collect()
}

/// Customers are sorted into tags; of the leads only those that somebody works on.
fn contact_tags(random: &mut fastrand::Rng, trade: &'static str, customer: bool) -> Vec<Text> {
    if random.u8(..100) >= if customer { 92 } else { 15 } {
        return Vec::new();
    }
    let mut tags: Vec<Text> = Vec::new();
    if trade != "private" {
        tags.push(trade.into());
    }
    for _ in 0..random.usize(1..4) {
        let tag: Text = (*pick(random, words::TAGS)).into();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.shrink_to_fit();
    tags
}

fn answers(
    random: &mut fastrand::Rng,
    fields: &[CustomField],
    industry: &str,
    customer: bool,
    now: Millis,
) -> Vec<(Id, Value)> {
    let mut answers = vec![(fields[0].id, industry.into())];
    if industry.starts_with("Cannabis") {
        answers.push((fields[1].id, format!("C{}-{:07}-LIC", random.u8(9..15), random.u32(..10_000_000)).into()));
    }
    if customer {
        answers.push((fields[2].id, (random.u32(2..400) * 50).to_string().into()));
        answers.push((fields[4].id, (*pick(random, &["Bronze", "Silver", "Gold"])).into()));
        answers.push((fields[5].id, iso(now + random.i64(-20..60) * DAY)[..10].into()));
    }
    if random.bool() {
        answers.push((fields[3].id, (*pick(random, words::CONTAINERS)).into()));
    }
    answers.shrink_to_fit();
    answers
}

fn opportunity(business: &Business, n: u64, ids: &[(Id, Millis, Millis)], now: Millis) -> Opportunity {
    let random = &mut random(business.seed, Kind::Opportunity, n);
    let (contact, known, _) = *pick(random, ids);
    let pipeline = &business.pipelines[usize::from(random.u8(..10) >= 6)];
    let stage = random.usize(..pipeline.stages.len());
    let added = now - span(random, (now - known).clamp(2 * HOUR, 540 * DAY));
    let updated = added + random.i64(0..(now - added).max(1));
    let status = match random.u8(..100) {
        0..52 => "open",
        52..76 => "won",
        76..92 => "lost",
        _ => "abandoned",
    };
    let who = business.contacts.get(contact).map(|contact| contact.company.clone().unwrap_or(contact.name().into()));
    Opportunity {
        id: Id::derive(business.seed, Kind::Opportunity, n),
        name: format!("{} – {}", who.unwrap_or_default(), pick(random, words::DEALS)),
        contact,
        pipeline: pipeline.id,
        stage: pipeline.stages[stage].0.clone(),
        status: status.into(),
        value: f64::from(random.u32(4..900) * 25),
        assigned_to: Some(pick(random, &business.users).id),
        source: Some((*pick(random, words::SOURCES)).into()),
        lost_reason: None,
        custom_fields: Vec::new(),
        followers: Vec::new(),
        added,
        updated,
        status_changed: updated,
        stage_changed: added + (updated - added) / 2,
    }
}

fn conversation(seed: u64, n: u64, partner: (Id, Millis, Millis), users: &[Id]) -> Conversation {
    let random = &mut random(seed, Kind::Conversation, n);
    let (contact, known, active) = partner;
    let past = random.u8(1..16);
    let first = if past == 1 { active } else { active - random.i64(0..(active - known).clamp(1, 200 * DAY)) };
    Conversation {
        id: Id::derive(seed, Kind::Conversation, n),
        contact,
        index: n,
        past,
        first,
        past_end: active,
        later: Vec::new(),
        unread: if random.u8(..100) < 14 { random.u32(1..4) } else { 0 },
        starred: random.u8(..100) < 3,
        assigned_to: Some(*pick(random, users)),
        added: first,
        updated: active,
    }
}

fn note(seed: u64, n: u64, ids: &[(Id, Millis, Millis)], users: &[Id]) -> Note {
    let random = &mut random(seed, Kind::Note, n);
    let (contact, known, active) = *pick(random, ids);
    Note {
        id: Id::derive(seed, Kind::Note, n),
        contact,
        user: Some(*pick(random, users)),
        title: None,
        color: None,
        pinned: false,
        body: (*pick(random, words::NOTES)).into(),
        added: known + random.i64(0..(active - known).max(1)),
    }
}

fn task(seed: u64, n: u64, ids: &[(Id, Millis, Millis)], users: &[Id], now: Millis) -> Task {
    let random = &mut random(seed, Kind::Task, n);
    let (contact, known, _) = *pick(random, ids);
    let due = now + random.i64(-25 * DAY..20 * DAY);
    Task {
        id: Id::derive(seed, Kind::Task, n),
        contact,
        title: (*pick(random, words::TASKS)).into(),
        body: random.bool().then(|| "See the last conversation.".into()),
        assigned_to: Some(*pick(random, users)),
        due,
        // What is long past is mostly done; the rest is overdue.
        completed: due < now && random.u8(..100) < 65,
        added: (due - random.i64(DAY..12 * DAY)).clamp(known.min(now), now),
    }
}

fn appointment(business: &Business, n: u64, ids: &[(Id, Millis, Millis)], now: Millis) -> Appointment {
    let random = &mut random(business.seed, Kind::Appointment, n);
    let (contact, _, _) = *pick(random, ids);
    let calendar = pick(random, &business.calendars);
    let day = now - now.rem_euclid(DAY) + random.i64(-60..30) * DAY;
    let start = day + random.i64(16..23) * HOUR;
    let past = start < now;
    let status = match random.u8(..10) {
        0 => "cancelled",
        1 if past => "noshow",
        _ if past => "showed",
        _ => "confirmed",
    };
    let added = (start - random.i64(1..14) * DAY).min(now - HOUR);
    Appointment {
        id: Id::derive(business.seed, Kind::Appointment, n),
        calendar: calendar.id,
        contact,
        user: calendar.user,
        title: (*pick(random, words::TALKS)).to_owned(),
        status: status.into(),
        notes: None,
        address: None,
        start,
        end: start + calendar.minutes * MINUTE,
        added,
        updated: added,
    }
}
