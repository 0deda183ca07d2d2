//! How close the business is to whom: who was heard of when, and who has a conversation. Leads that somebody works on
//! were spoken to this week, but for a few that slipped through; old leads rest.

use super::Contacts;
use crate::clock::{DAY, MINUTE, Millis};

/// Who was active in this time has been spoken to.
const LATELY: Millis = 30 * DAY;

/// How long ago a contact was last heard of.
pub(super) fn idle(random: &mut fastrand::Rng, customer: bool, tagged: bool) -> Millis {
    let this_week = 10 * MINUTE..5 * DAY;
    let share = random.u8(..100);
    random.i64(match (customer, tagged) {
        (true, _) => match share {
            0..12 => this_week,
            12..34 => 7 * DAY..30 * DAY,
            34..66 => 30 * DAY..120 * DAY,
            _ => 120 * DAY..900 * DAY,
        },
        (false, true) if share < 94 => this_week,
        (false, true) => 8 * DAY..29 * DAY,
        (false, false) => match share {
            0..12 => this_week,
            12..28 => 7 * DAY..13 * DAY,
            _ => 32 * DAY..900 * DAY,
        },
    })
}

/// The positions of those who have a conversation, `most` of them: all who were active lately, and a share of the rest,
/// spread over all. Nobody has two.
pub(super) fn partners(contacts: &Contacts, most: usize, now: Millis) -> Vec<usize> {
    let is_lately = |active: Millis| now - active <= LATELY;
    let lately = contacts.iter().filter(|contact| is_lately(contact.last_activity)).count();
    let (others, room) = (contacts.len() - lately, most.saturating_sub(lately).min(contacts.len() - lately));
    let mut seen = 0;
    let mut is_chosen = |active: Millis| {
        if is_lately(active) {
            return true;
        }
        seen += 1;
        // Every time the share reaches the next whole number.
        seen * room / others > (seen - 1) * room / others
    };
    let rows = contacts.iter().enumerate();
    rows.filter(|(_, contact)| is_chosen(contact.last_activity)).map(|(position, _)| position).collect()
}
