use store::Tenant;
use store::contacts::{self, ContactRow, Filter};
use store::testing::on_both;
use uuid::Uuid;

use crate::{contact, now};

async fn people(tenant: &Tenant) -> anyhow::Result<()> {
    let mut page = Vec::new();
    for (n, (name, company)) in [
        ("Catherine Fitzgerald", "Acme Supply"),
        ("Catherine Fitzsimmons", "Globex"),
        ("Katherine Gerald", "Initech"),
        ("John Smith", "Smithson & Sons"),
        ("Jon Smythe", "Umbrella"),
        ("José Núñez", "Café Olé"),
        ("Siobhán O'Neil", "Hooli"),
        ("Wei Li", "Pied Piper"),
        ("Jo Ng", "Acme Supply"),
        ("Mohammed Al-Rashid", "Green Leaf Cannabis"),
        ("Maria Gonzalez", "Green Leaf Cannabis"),
        ("Maria Gonzales", "Blue Sky"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut contact = contact(&format!("p{n}"), name, company);
        contact.email = Some(format!("{}@{}.test", name.split(' ').next_back().unwrap_or_default().to_lowercase(), n));
        contact.phone = Some(format!("+1 555 010 {:04}", n * 7));
        page.push(contact);
    }
    for n in 0..300 {
        page.push(contact(&format!("f{n}"), &format!("Filler{n} Person{n}"), &format!("Company {n}")));
    }
    contacts::upsert_batch(tenant, "crm", Uuid::new_v4(), &page, now()).await?;
    Ok(())
}

async fn found(tenant: &Tenant, filter: Filter) -> anyhow::Result<Vec<ContactRow>> {
    Ok(contacts::find(tenant, &filter, 10, None).await?.rows)
}

fn names(rows: &[ContactRow]) -> Vec<&str> {
    rows.iter().filter_map(|row| row.name.as_deref()).collect()
}

#[tokio::test]
async fn the_right_contact_comes_first_whatever_the_typo() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        people(&tenant).await?;
        for (query, expected) in [
            ("catherine fitzgerald", "Catherine Fitzgerald"),
            ("Fitzgerald Catherine", "Catherine Fitzgerald"),
            ("cathrine fitzgerald", "Catherine Fitzgerald"),
            ("catherine fitzgerld", "Catherine Fitzgerald"),
            ("cathrine fitzgerld", "Catherine Fitzgerald"),
            ("catehrine fitzgreald", "Catherine Fitzgerald"),
            ("kathrine fitzjerald", "Catherine Fitzgerald"),
            ("ctherine fitzgerald", "Catherine Fitzgerald"),
            ("catherinne fitzgeraldd", "Catherine Fitzgerald"),
            ("fitzgrald", "Catherine Fitzgerald"),
            ("fizgerld catrine", "Catherine Fitzgerald"),
            ("catherine acme", "Catherine Fitzgerald"),
            ("catherine from acme suply", "Catherine Fitzgerald"),
            ("john smith", "John Smith"),
            ("jhon smith", "John Smith"),
            ("smythe", "Jon Smythe"),
            ("jose nunez", "José Núñez"),
            ("José Nuñez", "José Núñez"),
            ("cafe ole", "José Núñez"),
            ("oneil", "Siobhán O'Neil"),
            ("siobhan o'neill", "Siobhán O'Neil"),
            ("wei", "Wei Li"),
            ("wei li", "Wei Li"),
            ("li", "Wei Li"),
            ("jo ng", "Jo Ng"),
            ("mohamed al-rashid", "Mohammed Al-Rashid"),
            ("gonzalez green leaf", "Maria Gonzalez"),
            ("maria gonzales", "Maria Gonzales"),
            ("0100063", "Mohammed Al-Rashid"),
            ("(555) 010-0063", "Mohammed Al-Rashid"),
            ("+1 555-010-0063", "Mohammed Al-Rashid"),
            ("smith@3.test", "John Smith"),
        ] {
            let rows = found(&tenant, Filter { text: Some(query.into()), ..Default::default() }).await?;
            assert_eq!(names(&rows).first(), Some(&expected), "{query}: {:?}", names(&rows));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn both_back_ends_give_the_same_order() -> anyhow::Result<()> {
    let mut answers: Vec<Vec<Vec<String>>> = Vec::new();
    for test in store::testing::both().await {
        let tenant = test.store.tenant("main");
        people(&tenant).await?;
        let mut answer = Vec::new();
        for query in ["catherine", "maria gonzales", "smith", "person12", "acme", "green", "company 29", "x", "jo"] {
            let rows = found(&tenant, Filter { text: Some(query.into()), ..Default::default() }).await?;
            answer.push(rows.into_iter().map(|row| row.vendor_id).collect());
        }
        answers.push(answer);
        test.remove().await?;
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    Ok(())
}

#[tokio::test]
async fn name_and_company_are_asked_for_separately() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        people(&tenant).await?;
        let filter = Filter { name: Some("catherin".into()), company: Some("globx".into()), ..Default::default() };
        assert_eq!(names(&found(&tenant, filter).await?)[0], "Catherine Fitzsimmons");
        let filter = Filter { company: Some("acme suply".into()), ..Default::default() };
        let mut rows = found(&tenant, filter).await?;
        rows.sort_by_key(|row| row.id);
        assert_eq!(names(&rows), ["Catherine Fitzgerald", "Jo Ng"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn nonsense_finds_nothing_and_breaks_nothing() {
    on_both(|store| async move {
        let tenant = store.tenant("main");
        people(&tenant).await?;
        for query in [
            "zzzzqqqq",
            "\"",
            "'",
            "%",
            "_",
            "~",
            "NEAR(a b)",
            "a AND OR NOT",
            "*",
            "\\",
            "(",
            "\u{0}",
            "💥",
            "中文字",
            "search_text:smith",
            "--",
            ";",
            "^smith",
            "x' OR '1'='1",
            "\"\"\"",
        ] {
            let rows = found(&tenant, Filter { text: Some(query.into()), ..Default::default() }).await;
            assert!(rows.is_ok(), "{query}: {rows:?}");
        }
        let rows = found(&tenant, Filter { text: Some("zzzzqqqq wwwwjjjj".into()), ..Default::default() }).await?;
        assert_eq!(names(&rows), Vec::<&str>::new());
        // Words of which nothing is left ask for nothing in particular.
        let rows = found(&tenant, Filter { text: Some("  ".into()), ..Default::default() }).await?;
        assert_eq!(rows.len(), 10);
        Ok(())
    })
    .await;
}
