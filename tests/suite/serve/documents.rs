//! A small catalogue of our own.

use tidegate::update::UpdateId;
use uuid::Uuid;

use super::Site;

use crate::support::documents::file;

pub(super) const COMPANY: i32 = 101;
pub(super) const PRODUCT: i32 = 102;
pub(super) const CLASSIFICATION: i32 = 103;
pub(super) const DETECTOID: i32 = 104;
pub(super) const CHILD: i32 = 105;
pub(super) const PARENT: i32 = 106;

pub(super) const PAYLOAD: &[u8] = b"bytes of an update that installs nothing at all";

/// The update of a revision here: its number is in its id.
pub(super) fn update(revision: i32) -> UpdateId {
    UpdateId(Uuid::from_u128(
        0xa000_0000_0000_4000_8000_0000_0000_0000 | u128::from(revision.unsigned_abs()),
    ))
}

/// A document.
pub(super) fn document(
    revision: i32,
    properties: &str,
    texts: &str,
    relationships: &str,
    rest: &str,
) -> String {
    let id = update(revision);
    format!(
        "<Update xmlns=\"http://schemas.microsoft.com/msus/2002/12/Update\" \
         xmlns:r=\"http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules\" \
         xmlns:l=\"http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"1\" />\
         <Properties DefaultPropertiesLanguage=\"en\" {properties} />\
         <LocalizedPropertiesCollection>{texts}</LocalizedPropertiesCollection>\
         <Relationships>{relationships}</Relationships>{rest}</Update>"
    )
}

pub(super) fn title(language: &str, title: &str) -> String {
    format!(
        "<LocalizedProperties><Language>{language}</Language><Title>{title}</Title></LocalizedProperties>"
    )
}

pub(super) fn category(revision: i32, kind: &str, name: &str, parents: &[i32]) -> String {
    let parents: String = parents
        .iter()
        .map(|p| {
            format!(
                "<AtLeastOne IsCategory=\"true\"><UpdateIdentity UpdateID=\"{}\" /></AtLeastOne>",
                update(*p)
            )
        })
        .collect();
    document(
        revision,
        "UpdateType=\"Category\"",
        &title("en", name),
        &format!("<Prerequisites>{parents}</Prerequisites>"),
        &format!(
            "<ApplicabilityRules><IsInstalled><l:True /></IsInstalled></ApplicabilityRules>\
             <HandlerSpecificData xmlns:c=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\" \
             xsi:type=\"c:Category\"><c:CategoryInformation CategoryType=\"{kind}\" />\
             </HandlerSpecificData>"
        ),
    )
}

/// A leaf that is part of a bundle, with a file.
pub(super) fn child(revision: i32, payload: &[u8], name: &str, rules: &str) -> String {
    document(
        revision,
        "UpdateType=\"Software\"",
        &title("en", &format!("Part {revision}")),
        &format!(
            "<Prerequisites><UpdateIdentity UpdateID=\"{}\" /></Prerequisites>",
            update(DETECTOID)
        ),
        &format!(
            "<ApplicabilityRules><IsInstalled><r:RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" \
             Subkey=\"Software\\Tide &amp; Gate\" /></IsInstalled>{rules}</ApplicabilityRules>\
             <Files>{}</Files>",
            file(name, payload)
        ),
    )
}

/// An update that can be approved and bundles one other.
pub(super) fn parent(revision: i32, bundled: i32) -> String {
    document(
        revision,
        "UpdateType=\"Software\" ExplicitlyDeployable=\"true\"",
        &(title("en", "Whole <![CDATA[&]]> sound") + &title("de", "Ganz &amp; gar")),
        &format!(
            "<Prerequisites><AtLeastOne IsCategory=\"true\"><UpdateIdentity UpdateID=\"{}\" /></AtLeastOne>\
             <AtLeastOne IsCategory=\"true\"><UpdateIdentity UpdateID=\"{}\" /></AtLeastOne></Prerequisites>\
             <BundledUpdates><AtLeastOne><UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"1\" /></AtLeastOne>\
             </BundledUpdates>",
            update(PRODUCT),
            update(CLASSIFICATION),
            update(bundled)
        ),
        "",
    )
}

/// All of it in a site, with the payload in the store; nothing approved.
pub(super) fn site() -> Site {
    let site = Site::new();
    site.add(COMPANY, category(COMPANY, "Company", "Tidewater", &[]).as_bytes());
    site.add(PRODUCT, category(PRODUCT, "Product", "Lock gate", &[COMPANY]).as_bytes());
    site.add(
        CLASSIFICATION,
        category(CLASSIFICATION, "UpdateClassification", "Repairs", &[]).as_bytes(),
    );
    let detectoid = document(
        DETECTOID,
        "UpdateType=\"Detectoid\"",
        &title("en", "Any computer"),
        "",
        "<ApplicabilityRules><IsInstalled><l:True /></IsInstalled></ApplicabilityRules>",
    );
    site.add(DETECTOID, detectoid.as_bytes());
    site.add(CHILD, child(CHILD, PAYLOAD, "gate.exe", "").as_bytes());
    site.add(PARENT, parent(PARENT, CHILD).as_bytes());
    site.add_payload(PAYLOAD);
    site
}
