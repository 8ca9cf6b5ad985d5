//! Which column goes into which field: as a person said, or by the columns' names.

use std::collections::{BTreeMap, BTreeSet};

use super::{model::Mapping, target::Target};
use crate::{
    auth::{Caller, Grant, Permission},
    base::{Error, FieldErrors, Result, text::folded},
    crm::{
        RecordKind,
        record::{Field, FieldType},
    },
};

/// A column of the file that is read: its index and its field.
pub type Mapped = (usize, &'static Field);

/// What other programs call our fields, without case, spaces and signs. The field's own names need
/// not stand here.
const SYNONYMS: &[(RecordKind, &str, &[&str])] = &[
    (RecordKind::Contact, "first_name", &["firstname", "givenname", "forename", "fname"]),
    (RecordKind::Contact, "last_name", &["lastname", "surname", "familyname", "lname"]),
    (
        RecordKind::Contact,
        "email",
        &[
            "emailaddress",
            "mail",
            "emailaddress1",
            "email1",
            "email1value",
            "primaryemail",
            "workemail",
            "businessemail",
        ],
    ),
    (
        RecordKind::Contact,
        "phone",
        &[
            "phonenumber",
            "telephone",
            "telephonenumber",
            "tel",
            "workphone",
            "businessphone",
            "primaryphone",
            "phone1value",
        ],
    ),
    (RecordKind::Contact, "mobile", &["mobilephone", "mobilephonenumber", "mobilenumber", "cell", "cellphone"]),
    (RecordKind::Contact, "title", &["jobtitle", "position"]),
    (RecordKind::Contact, "source", &["leadsource", "contactsource"]),
    (RecordKind::Contact, "linkedin_url", &["linkedin", "linkedinprofile", "linkedinbio"]),
    (RecordKind::Contact, "twitter_handle", &["twitter", "twitterusername"]),
    (
        RecordKind::Contact,
        "address",
        &["street", "streetaddress", "address1", "addressline1", "mailingstreet", "businessstreet"],
    ),
    (RecordKind::Contact, "city", &["town", "mailingcity", "businesscity"]),
    (
        RecordKind::Contact,
        "state",
        &["stateprovince", "stateregion", "province", "region", "mailingstate", "businessstate"],
    ),
    (RecordKind::Contact, "country", &["countryregion", "mailingcountry", "businesscountryregion"]),
    (RecordKind::Contact, "postal_code", &["zip", "zipcode", "postcode", "zippostalcode", "mailingpostalcode"]),
    (RecordKind::Contact, "notes", &["note", "comment", "comments"]),
    (RecordKind::Contact, "last_contact_date", &["lastcontacted", "lastactivitydate"]),
    (RecordKind::Contact, "tags", &["tag", "labels"]),
    (RecordKind::Account, "name", &["company", "companyname", "accountname", "organization", "organisation"]),
    (RecordKind::Account, "account_number", &["number", "customernumber", "accountno"]),
    (RecordKind::Account, "website", &["url", "web", "websiteurl", "domain", "companydomainname"]),
    (RecordKind::Account, "employees", &["numberofemployees", "employeecount"]),
    (RecordKind::Account, "annual_revenue", &["revenue"]),
    (RecordKind::Account, "phone", &["phonenumber", "telephone", "tel"]),
    (RecordKind::Account, "billing_address", &["address", "street", "streetaddress", "billingstreet"]),
    (RecordKind::Account, "billing_city", &["city"]),
    (RecordKind::Account, "billing_state", &["state", "stateregion", "billingstateprovince"]),
    (RecordKind::Account, "billing_country", &["country", "countryregion"]),
    (RecordKind::Account, "billing_postal_code", &["zip", "zipcode", "postalcode", "postcode", "billingzippostalcode"]),
    (RecordKind::Account, "tags", &["tag", "labels"]),
];

/// Of a mapping, which is kept and shown with its import.
const MOST_COLUMNS: usize = 1_000;
const LONGEST_COLUMN: usize = 1_000;

/// Checks what a person gave, as far as that is possible without the file. Fields come out by
/// their API names, columns that are to be ignored are left out.
pub fn check_given(target: &Target, caller: &Caller, given: &BTreeMap<String, Option<String>>) -> Result<Mapping> {
    let (mut mapping, mut errors, mut taken) = (Mapping::new(), FieldErrors::new(), BTreeSet::new());
    if given.len() > MOST_COLUMNS || given.keys().any(|column| column.len() > LONGEST_COLUMN) {
        let limits = format!("names at most {MOST_COLUMNS} columns, each of at most {LONGEST_COLUMN} bytes");
        return Err(Error::invalid("mapping", limits));
    }
    for (column, name) in given {
        let Some(name) = name.as_deref().map(str::trim).filter(|name| !name.is_empty()) else { continue };
        match target.field(name) {
            None => errors.add("mapping", format!("names a field that cannot be imported: {name}")),
            Some(field) if !taken.insert(field.name) => {
                errors.add("mapping", format!("names {name} for more than one column"));
            }
            Some(field) if !may_set(caller, field) => {
                return Err(Error::Forbidden(MAY_NOT_GIVE.into()));
            }
            Some(field) => {
                mapping.insert(column.trim().to_owned(), field.name.to_owned());
            }
        }
    }
    if mapping.is_empty() && errors.is_empty() && given.values().any(Option::is_some) {
        errors.add("mapping", "maps no column to a field");
    }
    errors.into_result()?;
    Ok(mapping)
}

/// The columns that are read, in the order of the file. The error is a sentence for the person who
/// started the import.
pub fn resolve(target: &Target, caller: &Caller, columns: &[String], mapping: &Mapping) -> Result<Vec<Mapped>, String> {
    let mapped =
        if mapping.is_empty() { by_name(target, caller, columns) } else { given(target, caller, columns, mapping)? };
    if mapped.is_empty() {
        return Err(format!("No column is called like a field; {}", listed(columns)));
    }
    for (index, _) in &mapped {
        if columns.iter().filter(|other| **other == columns[*index]).count() > 1 {
            return Err(format!("More than one column is called \u{201c}{}\u{201d}; rename them", columns[*index]));
        }
    }
    Ok(mapped)
}

fn given(target: &Target, caller: &Caller, columns: &[String], mapping: &Mapping) -> Result<Vec<Mapped>, String> {
    let mut mapped = Vec::new();
    for (column, name) in mapping {
        let exact = columns.iter().position(|other| other == column);
        let index = exact.or_else(|| columns.iter().position(|other| plain(other) == plain(column)));
        let index =
            index.ok_or_else(|| format!("The file has no column \u{201c}{column}\u{201d}; {}", listed(columns)))?;
        let field = target.field(name).ok_or_else(|| format!("The field {name} cannot be imported"))?;
        // rights may have been taken away since it was asked for
        if !may_set(caller, field) {
            return Err(MAY_NOT_GIVE.to_owned());
        }
        mapped.push((index, field));
    }
    mapped.sort_by_key(|(index, _)| *index);
    Ok(mapped)
}

/// The first column that is called like a field gets it.
fn by_name(target: &Target, caller: &Caller, columns: &[String]) -> Vec<Mapped> {
    let mut mapped: Vec<Mapped> = Vec::new();
    for field in target.fields().filter(|field| may_set(caller, field)) {
        let synonyms = SYNONYMS.iter().find(|known| known.0 == target.kind && known.1 == field.column);
        let names = [field.name, field.rest, field.column].map(plain);
        let is_named = |column: &String| {
            let column = plain(column);
            names.contains(&column) || synonyms.is_some_and(|known| known.2.contains(&column.as_str()))
        };
        // its own name goes before a synonym: "Phone" before "Work phone"
        let own = columns.iter().position(|column| names.contains(&plain(column)));
        if let Some(index) = own.or_else(|| columns.iter().position(is_named)) {
            mapped.push((index, field));
        }
    }
    // two fields may know one name: the column is the first one's
    mapped.sort_by_key(|(index, _)| *index);
    mapped.dedup_by_key(|(index, _)| *index);
    mapped
}

/// Without case, spaces and signs.
fn plain(name: &str) -> String {
    folded(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

const MAY_NOT_GIVE: &str = "Your role may not give records to others, so leave the owner out";

/// Whose a record is can be said by those alone who may give it to anybody.
fn may_set(caller: &Caller, field: &Field) -> bool {
    !matches!(field.field_type, FieldType::User) || caller.grant(Permission::RecordsAssign) == Grant::All
}

fn listed(columns: &[String]) -> String {
    const MOST: usize = 50;
    let names: Vec<_> = columns.iter().take(MOST).map(|name| format!("\u{201c}{name}\u{201d}")).collect();
    let more = if columns.len() > MOST { format!(" and {} more", columns.len() - MOST) } else { String::new() };
    format!("the file's columns are {}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{Origin, Role, Via},
        base::ids::{UserId, WorkspaceId},
    };

    fn caller(role: Role) -> Caller {
        Caller::new(WorkspaceId::new(), UserId::new(), role, Origin::System, Via::Import)
    }

    fn resolved(columns: &[&str], mapping: &[(&str, &str)]) -> Result<Vec<(usize, &'static str)>, String> {
        let columns: Vec<_> = columns.iter().map(ToString::to_string).collect();
        let mapping = mapping.iter().map(|(column, field)| ((*column).to_owned(), (*field).to_owned())).collect();
        let target = Target::of(RecordKind::Contact).expect("contacts");
        let mapped = resolve(&target, &caller(Role::Admin), &columns, &mapping)?;
        Ok(mapped.into_iter().map(|(index, field)| (index, field.name)).collect())
    }

    #[test]
    fn columns_are_matched_by_what_they_are_called() {
        assert_eq!(
            resolved(&["E-Mail Address", "Surname", "first_name", "Company", "PHONE NUMBER", "lastName", "Zip"], &[]),
            Ok(vec![(0, "email"), (2, "firstName"), (4, "phone"), (5, "lastName"), (6, "postalCode")])
        );
        let none = resolved(&["Foo", "Bar"], &[]).expect_err("nothing fits");
        assert!(none.contains("\u{201c}Foo\u{201d}, \u{201c}Bar\u{201d}"), "{none}");
    }

    #[test]
    fn a_given_mapping_is_followed_or_refused() {
        assert_eq!(resolved(&["x", "Mail"], &[("mail", "email")]), Ok(vec![(1, "email")]));
        assert!(resolved(&["x"], &[("Mail", "email")]).expect_err("missing").contains("\u{201c}Mail\u{201d}"));
        assert!(resolved(&["Mail", "Mail"], &[("Mail", "email")]).is_err());
        assert_eq!(resolved(&["Mail", "y", "y"], &[("Mail", "email")]), Ok(vec![(0, "email")]));
    }

    #[test]
    fn what_cannot_be_mapped_is_said_at_once() {
        let target = Target::of(RecordKind::Contact).expect("contacts");
        let check = |role, pairs: &[(&str, Option<&str>)]| {
            let given = pairs.iter().map(|(c, f)| ((*c).to_owned(), f.map(ToOwned::to_owned))).collect();
            check_given(&target, &caller(role), &given)
        };
        let rest_names = check(Role::Admin, &[("A", Some("first_name")), ("B", Some("")), ("C", None)]);
        assert_eq!(rest_names.expect("valid"), Mapping::from([("A".to_owned(), "firstName".to_owned())]));
        assert!(check(Role::Admin, &[("A", Some("shoeSize"))]).is_err());
        assert!(check(Role::Admin, &[("A", Some("custom_fields"))]).is_err());
        assert!(check(Role::Admin, &[("A", Some("email")), ("B", Some("email"))]).is_err());
        assert!(check(Role::Admin, &[("A", Some("assigned_to"))]).is_ok());
        assert!(matches!(check(Role::SalesRep, &[("A", Some("assigned_to"))]), Err(Error::Forbidden(_))));
    }
}
