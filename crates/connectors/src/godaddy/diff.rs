//! The difference between the records that are there and those that are wanted.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use sdk::{Error, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::record::{self, Present, Record};

/// What is to go: all records of a type at a name, or the one with this data.
#[derive(Clone, Debug, PartialEq)]
struct Removal {
    kind: String,
    name: String,
    data: Option<String>,
}

/// A record that would have another TTL, priority or data.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Changed {
    pub before: Record,
    pub after: Record,
}

/// What has to be done so that the records are as wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    pub added: Vec<Record>,
    pub changed: Vec<Changed>,
    pub removed: Vec<Record>,
    pub unchanged: usize,
    /// What the records of the touched types and names will be.
    pub after: Vec<((String, String), Vec<Record>)>,
}

/// The difference. The types and names of `wanted` get exactly those records; what `remove` names goes; nothing else
/// is touched.
pub fn of(present: &[Present], wanted: &[Record], remove: &[String], domain: &str) -> Result<Diff> {
    if wanted.is_empty() && remove.is_empty() {
        return Err(Error::invalid_input("give `records` that are wanted, or `remove`"));
    }
    let wanted = wanted.iter().map(|record| record.wanted(domain)).collect::<Result<Vec<_>>>()?;
    let removals = removals(remove, domain)?;
    check(&wanted, &removals)?;
    let sets: BTreeSet<(String, String)> = wanted
        .iter()
        .map(Record::set)
        .chain(removals.iter().map(|removal| (removal.kind.clone(), removal.name.clone())))
        .collect();
    let mut diff = Diff::default();
    for set in sets {
        let here: Vec<Record> = present.iter().map(|p| p.record.clone()).filter(|record| record.set() == set).collect();
        let asked: Vec<Record> = wanted.iter().filter(|record| record.set() == set).cloned().collect();
        let after = if asked.is_empty() { kept(&here, &removals) } else { asked };
        diff.add(&here, &after);
        diff.after.push((set, after));
    }
    diff.aliases(present)?;
    Ok(diff)
}

/// `TXT @`, or `A www 203.0.113.1`.
fn removals(remove: &[String], domain: &str) -> Result<Vec<Removal>> {
    let read = |text: &String| {
        let mut words = text.trim().splitn(3, char::is_whitespace);
        let (Some(kind), Some(name)) = (words.next(), words.next()) else {
            return Err(Error::invalid_input("remove: name type and name, `TXT @`, and the data for one of several"));
        };
        let data = words.next().map(|data| data.trim().to_owned());
        Ok(Removal { kind: record::writable(kind)?, name: record::relative(name, domain), data })
    };
    remove.iter().map(read).collect()
}

fn check(wanted: &[Record], removals: &[Removal]) -> Result<()> {
    for (place, record) in wanted.iter().enumerate() {
        if wanted[..place].iter().any(|other| other.is(record)) {
            return Err(Error::invalid_input(format!(
                "records: {} {} {} stands there twice",
                record.kind, record.name, record.data
            )));
        }
        if removals.iter().any(|removal| (&removal.kind, &removal.name) == (&record.kind, &record.name)) {
            let message = format!(
                "{} {} is both wanted and to be removed; give the records that are to stay in `records`",
                record.kind, record.name
            );
            return Err(Error::invalid_input(message));
        }
    }
    Ok(())
}

/// What stays of a set from which something is removed.
fn kept(here: &[Record], removals: &[Removal]) -> Vec<Record> {
    let goes = |record: &Record| {
        removals.iter().any(|removal| {
            let one = removal.data.as_ref().map(|data| Record { data: data.clone(), ..record.clone() });
            (&removal.kind, &removal.name) == (&record.kind, &record.name) && one.is_none_or(|one| one.is(record))
        })
    };
    here.iter().filter(|record| !goes(record)).cloned().collect()
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// The difference of one set. A lone record with other data is a change of that record.
    fn add(&mut self, here: &[Record], after: &[Record]) {
        let mut gone: Vec<&Record> =
            here.iter().filter(|record| !after.iter().any(|wanted| wanted.is(record))).collect();
        let mut new: Vec<&Record> = Vec::new();
        for wanted in after {
            match here.iter().find(|record| record.is(wanted)) {
                Some(record) if record.equals(wanted) => self.unchanged += 1,
                Some(record) => self.changed.push(Changed { before: record.clone(), after: wanted.clone() }),
                None => new.push(wanted),
            }
        }
        if let ([before], [after]) = (gone.as_slice(), new.as_slice()) {
            self.changed.push(Changed { before: (*before).clone(), after: (*after).clone() });
            gone.clear();
            new.clear();
        }
        self.added.extend(new.into_iter().cloned());
        self.removed.extend(gone.into_iter().cloned());
    }

    /// A name with a CNAME can have nothing else, which the vendor would find out half-way.
    fn aliases(&self, present: &[Present]) -> Result<()> {
        let touched: BTreeSet<&(String, String)> = self.after.iter().map(|(set, _)| set).collect();
        let others = present.iter().map(|p| &p.record).filter(|record| !touched.contains(&record.set()));
        let all: Vec<&Record> = self.after.iter().flat_map(|(_, records)| records).chain(others).collect();
        for ((kind, name), records) in &self.after {
            let together = all.iter().filter(|record| record.name == *name).count();
            let alias = kind == "CNAME" || all.iter().any(|record| record.kind == "CNAME" && record.name == *name);
            if !records.is_empty() && alias && together > 1 {
                let message = format!(
                    "{name}: a CNAME cannot stand beside another record of its name; remove one of them in the same plan"
                );
                return Err(Error::new(sdk::Kind::Conflict, message));
            }
        }
        Ok(())
    }

    /// What binds a plan to itself and to the records that it was made from: it differs when any record of the domain
    /// or anything of the plan does.
    pub fn fingerprint(&self, domain: &str, present: &[Present]) -> String {
        let mut zone: Vec<String> = present.iter().map(|present| present.record.spelled()).collect();
        zone.sort();
        let mut hash = Sha256::new();
        let mut line = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        line(domain);
        zone.iter().for_each(|record| line(record));
        line("added");
        self.added.iter().for_each(|record| line(&record.spelled()));
        line("changed");
        self.changed
            .iter()
            .for_each(|changed| line(&format!("{}>{}", changed.before.spelled(), changed.after.spelled())));
        line("removed");
        self.removed.iter().for_each(|record| line(&record.spelled()));
        hex::encode(&hash.finalize()[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, name: &str, data: &str) -> Record {
        Record { kind: kind.into(), name: name.into(), data: data.into(), ttl: 3_600, priority: None }
    }

    fn present(records: &[Record]) -> Vec<Present> {
        records
            .iter()
            .map(|record| Present { record: record.clone(), id: None, row: serde_json::Value::Null })
            .collect()
    }

    #[test]
    fn only_what_is_named_is_touched() {
        let here = present(&[
            record("A", "@", "1.1.1.1"),
            record("A", "@", "2.2.2.2"),
            record("TXT", "@", "t"),
            record("NS", "@", "n"),
        ]);
        let diff = of(&here, &[record("A", "@", "2.2.2.2"), record("A", "www", "3.3.3.3")], &[], "x.example").unwrap();
        assert_eq!((diff.unchanged, diff.added.len(), diff.changed.len()), (1, 1, 0));
        assert_eq!(diff.removed, [record("A", "@", "1.1.1.1")]);
        let gone = of(&here, &[], &["A x.example 1.1.1.1".into()], "x.example").unwrap();
        assert_eq!((gone.removed.len(), gone.unchanged), (1, 1));
        assert!(of(&here, &[], &["NS @".into()], "x.example").unwrap_err().message.contains("NS"));
        assert!(of(&here, &[record("SOA", "@", "s")], &[], "x.example").is_err());
        assert!(of(&here, &[], &[], "x.example").is_err());
    }

    #[test]
    fn a_lone_record_is_changed_and_the_same_is_nothing() {
        let here = present(&[record("CNAME", "www", "a.example")]);
        let diff = of(&here, &[record("CNAME", "www", "b.example")], &[], "x.example").unwrap();
        assert_eq!((diff.changed.len(), diff.added.len(), diff.removed.len()), (1, 0, 0));
        assert!(of(&here, &[record("CNAME", "www", "A.example.")], &[], "x.example").unwrap().is_empty());
        let beside = of(&here, &[record("A", "www", "1.1.1.1")], &[], "x.example").unwrap_err();
        assert_eq!(beside.kind, sdk::Kind::Conflict);
        let instead = of(&here, &[record("A", "www", "1.1.1.1")], &["CNAME www".into()], "x.example").unwrap();
        assert_eq!((instead.added.len(), instead.removed.len()), (1, 1));
    }

    #[test]
    fn a_plan_is_bound_to_the_zone_and_to_itself() {
        let here = present(&[record("A", "@", "1.1.1.1"), record("TXT", "@", "t")]);
        let of_one = |here: &[Present], data: &str| {
            of(here, &[record("A", "www", data)], &[], "x.example").unwrap().fingerprint("x.example", here)
        };
        let first = of_one(&here, "3.3.3.3");
        let mut turned = here.clone();
        turned.reverse();
        assert_eq!(first, of_one(&turned, "3.3.3.3"), "the order says nothing");
        assert_ne!(first, of_one(&here, "4.4.4.4"));
        assert_ne!(first, of_one(&here[..1], "3.3.3.3"));
    }
}
