//! The opportunities, with the way from a contact to its own.

use std::{collections::HashMap, ops::Deref};

use super::record::{Id, Opportunity};

/// Reads like a slice; positions hold until something is removed.
#[derive(Default)]
pub(crate) struct Deals {
    rows: Vec<Opportunity>,
    by_contact: HashMap<Id, Vec<u32>>,
}

impl Deals {
    /// The opportunities of one contact. The pages of the contacts search ask for each row.
    pub(crate) fn of(&self, contact: Id) -> impl Iterator<Item = &Opportunity> {
        let positions = self.by_contact.get(&contact).map(Vec::as_slice).unwrap_or_default();
        positions.iter().filter_map(|position| self.rows.get(*position as usize))
    }

    pub(crate) fn push(&mut self, row: Opportunity) {
        let position = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.by_contact.entry(row.contact).or_default().push(position);
        self.rows.push(row);
    }

    /// Puts a changed row in its place; an opportunity never changes its contact.
    pub(crate) fn replace(&mut self, position: usize, row: Opportunity) {
        self.rows[position] = row;
    }

    pub(crate) fn remove(&mut self, position: usize) -> Opportunity {
        let row = self.rows.remove(position);
        self.reindex();
        row
    }

    pub(crate) fn remove_of(&mut self, contact: Id) {
        if self.by_contact.contains_key(&contact) {
            self.rows.retain(|row| row.contact != contact);
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        for row in std::mem::take(self).rows {
            self.push(row);
        }
    }
}

impl Deref for Deals {
    type Target = [Opportunity];

    fn deref(&self) -> &[Opportunity] {
        &self.rows
    }
}

impl FromIterator<Opportunity> for Deals {
    fn from_iter<I: IntoIterator<Item = Opportunity>>(rows: I) -> Deals {
        let mut deals = Deals::default();
        rows.into_iter().for_each(|row| deals.push(row));
        deals
    }
}
