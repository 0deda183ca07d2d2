//! What the simulated people do by themselves: tests call it, and the vendor reports it.

use serde_json::{Map, Value, json};

use crate::{
    business::{Business, Channel, Id, Kind, Message},
    gohighlevel::{
        contacts::{blank, fill},
        gate::{Call, Reach, Version},
        messages,
        reply::Refusal,
        rows,
    },
    world::World,
};

pub(crate) fn create(world: &World, fields: &Map<String, Value>) -> Result<Value, Refusal> {
    let now = world.now();
    let mut business = world.business();
    let id = business.new_id(Kind::Contact);
    let mut contact = blank(id, now);
    fill(&mut contact, fields, &business)?;
    business.contacts.insert(contact, now);
    publish(world, &mut business, "ContactCreate", id)
}

pub(crate) fn show(world: &World, number: usize) -> Result<Value, Refusal> {
    let business = world.business();
    let id = numbered(&business, number)?;
    let contact = business.contacts.get(id);
    Ok(contact.map(|contact| rows::detail(contact, business.location, false)).unwrap_or_default())
}

pub(crate) fn update(world: &World, number: usize, fields: &Map<String, Value>) -> Result<Value, Refusal> {
    let now = world.now();
    let mut business = world.business();
    let id = numbered(&business, number)?;
    let Some(mut contact) = business.contacts.get(id).cloned() else { return Ok(Value::Null) };
    fill(&mut contact, fields, &business)?;
    contact.last_activity = now;
    business.contacts.edit(id, now, |stored| *stored = contact);
    publish(world, &mut business, "ContactUpdate", id)
}

pub(crate) fn delete(world: &World, number: usize) -> Result<Value, Refusal> {
    let mut business = world.business();
    let id = numbered(&business, number)?;
    let location = business.location;
    let Some(removed) = business.remove_contact(id) else { return Ok(Value::Null) };
    let payload = rows::event(&removed, location);
    world.committed(&mut business, "business", "ContactDelete", id.as_str(), payload.clone());
    Ok(payload)
}

/// A customer writes to the business by SMS.
pub(crate) fn write(world: &World, number: usize, text: &str) -> Result<Value, Refusal> {
    let now = world.now();
    let mut business = world.business();
    let contact = numbered(&business, number)?;
    let message = Message {
        id: business.new_id(Kind::Message),
        at: now,
        channel: Channel::Sms,
        inbound: true,
        subject: None,
        body: text.to_owned(),
        status: "delivered".into(),
        user: None,
        call_seconds: None,
        attachments: Vec::new(),
        source: "app",
    };
    let said = message.clone();
    let conversation = business.say(contact, message);
    let call = Call {
        version: Version::Dated,
        reach: Reach::Location,
        location: business.location,
        trace: String::new(),
        now,
    };
    let payload = messages::event(&said, conversation, contact, &call);
    world.committed(&mut business, "business", "InboundMessage", said.id.as_str(), payload.clone());
    Ok(payload)
}

fn publish(world: &World, business: &mut Business, kind: &str, id: Id) -> Result<Value, Refusal> {
    let location = business.location;
    let payload = business.contacts.get(id).map(|contact| rows::event(contact, location)).unwrap_or_default();
    world.committed(business, "business", kind, id.as_str(), payload.clone());
    Ok(payload)
}

/// The nth contact that still exists, in the order in which they were made.
fn numbered(business: &Business, number: usize) -> Result<Id, Refusal> {
    let found = business.contacts.iter().nth(number).map(|contact| contact.id);
    found.ok_or_else(|| Refusal::not_found(json!(format!("there is no contact number {number}")).to_string()))
}
