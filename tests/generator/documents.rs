//! Writes documents.

use std::fmt::Write as _;

use super::{
    Plan, Profile,
    entry::{Clause, Entry, Kind},
    random::Random,
    rules::{MSUS, any_of_many, condition, manifest, word},
};

/// Languages, and a word of each to stand in a title.
const LANGUAGES: [(&str, &str); 24] = [
    ("en", "Update"),
    ("de", "Aktualisierung für"),
    ("fr", "Mise à jour"),
    ("es", "Actualización"),
    ("it", "Aggiornamento dell'insieme"),
    ("pt-br", "Atualização"),
    ("ja", "更新プログラム"),
    ("ko", "업데이트"),
    ("zh-cn", "更新"),
    ("zh-tw", "更新程式"),
    ("ru", "Обновление"),
    ("uk", "Оновлення"),
    ("pl", "Aktualizacja"),
    ("cs", "Aktualizace"),
    ("hu", "Frissítés"),
    ("tr", "Güncelleştirme"),
    ("ar", "تحديث"),
    ("he", "עדכון"),
    ("th", "การปรับปรุง"),
    ("el", "Ενημέρωση"),
    ("nl", "Bijwerking"),
    ("sv", "Uppdatering"),
    ("fi", "Päivitys"),
    ("nb", "Oppdatering"),
];

const TEXT: u64 = 5;
const PUBLISHER: &str = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";

/// The document of one revision.
pub fn document(plan: &Plan, entry: &Entry) -> String {
    let mut random = Random::new(plan.seed, TEXT, entry.index);
    let mut out = String::with_capacity(entry.target + 4096);
    out.push_str("<upd:Update xmlns:pub=\"");
    out.push_str(MSUS);
    out.push_str("Publishing\"");
    if entry.kind.is_category() {
        write!(out, " xmlns:cat=\"{MSUS}UpdateHandlers/Category\"").unwrap_or_default();
    }
    write!(out, " xmlns:upd=\"{MSUS}Update\">").unwrap_or_default();

    // Some servers write ids in capitals; they are the same ids.
    let id = if random.chance(3) { entry.id.to_uppercase() } else { entry.id.clone() };
    let revision = entry.revision;
    write!(out, "<upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{revision}\" />")
        .unwrap_or_default();
    properties(&mut out, entry, &mut random);
    titles(&mut out, plan, entry, &mut random);
    relationships(&mut out, entry);

    // What comes after the rules, so that they can fill up to the wanted size.
    let mut after = String::new();
    files(&mut after, entry);
    handler(&mut after, entry);
    let room = entry.target.saturating_sub(after.len() + 150);
    applicability_rules(&mut out, entry, room, &mut random);
    out.push_str(&after);
    out.push_str("</upd:Update>");
    out
}

fn properties(out: &mut String, entry: &Entry, random: &mut Random) {
    let kind = entry.kind;
    let update_type = match kind {
        _ if kind.is_category() => "Category",
        Kind::Detectoid => "Detectoid",
        Kind::Driver => "Driver",
        _ => "Software",
    };
    write!(out, "<upd:Properties DefaultPropertiesLanguage=\"en\" UpdateType=\"{update_type}\"")
        .unwrap_or_default();
    match kind {
        _ if kind.is_deployable() => {
            out.push_str(" ExplicitlyDeployable=\"true\"");
            if random.chance(50) {
                out.push_str(" AutoSelectOnWebSites=\"true\"");
            }
        }
        Kind::Detectoid => out.push_str(" ExplicitlyDeployable=\"false\" PerUser=\"false\""),
        _ => {}
    }
    if kind == Kind::Msi {
        out.push_str(" IsLocallyPublished=\"true\" CanSourceBeRequired=\"false\"");
    }
    if let Some(handler) = handler_name(kind) {
        write!(out, " Handler=\"{MSUS}UpdateHandlers/{handler}\"").unwrap_or_default();
    }
    if !entry.files.is_empty() {
        let size: usize = entry.files.iter().map(|file| file.size).sum();
        write!(out, " MaxDownloadSize=\"{size}\" MinDownloadSize=\"0\"").unwrap_or_default();
    }
    if kind.is_deployable() && random.chance(40) {
        let severity = random.pick(&["Critical", "Important", "Moderate"]);
        write!(out, " MsrcSeverity=\"{severity}\"").unwrap_or_default();
    }
    let state = if entry.expired { "Expired" } else { "Published" };
    write!(
        out,
        " PublicationState=\"{state}\" CreationDate=\"2026-{:02}-{:02}T{:02}:00:00Z\" \
         PublisherID=\"{PUBLISHER}\"",
        1 + entry.index % 12,
        1 + entry.index % 28,
        entry.index % 24
    )
    .unwrap_or_default();

    let mut children = String::new();
    if kind.has_files() {
        children.push_str("<upd:InstallationBehavior Impact=\"Minor\" />");
    }
    if let Some(kb) = entry.kb {
        children.push_str("<upd:SupportUrl>https://support.example.invalid/</upd:SupportUrl>");
        write!(children, "<upd:KBArticleID>{kb}</upd:KBArticleID>").unwrap_or_default();
    }
    match children.is_empty() {
        true => out.push_str(" />"),
        false => write!(out, ">{children}</upd:Properties>").unwrap_or_default(),
    }
}

fn titles(out: &mut String, plan: &Plan, entry: &Entry, random: &mut Random) {
    // Only what people see is translated, and only where the document has room for it.
    let translated = entry.kind.is_deployable() || entry.kind.is_category();
    let languages = match translated {
        true => (entry.target / 400).saturating_sub(3).clamp(1, LANGUAGES.len()),
        false => 1,
    };
    let (first, second) = (word(random), word(random));
    let number = entry.index;
    out.push_str("<upd:LocalizedPropertiesCollection>");
    for (language, update) in &LANGUAGES[..languages] {
        let title = match (entry.kind, plan.name(entry.index)) {
            (Kind::Classification, Some(name)) => name.to_owned(),
            (Kind::Company, _) => "Example Company".to_owned(),
            (Kind::ProductFamily | Kind::Product, _) => format!("{first} {second} {number}"),
            (Kind::Detectoid, _) => format!("Has {first} {second} {number}"),
            (Kind::Driver, _) => format!("Example - Net - 1.{number}.0.0"),
            (_, _) => match entry.kb {
                Some(kb) => format!("{update} {first} &amp; {second} (KB{kb})"),
                None => format!("HIDDEN: {first} {second} {number}"),
            },
        };
        write!(
            out,
            "<upd:LocalizedProperties><upd:Language>{language}</upd:Language><upd:Title>{title}\
             </upd:Title>"
        )
        .unwrap_or_default();
        if languages > 1 || random.chance(15) {
            // Real ones have line ends of both kinds.
            let end = random.pick(&["", "\n", "\r\n"]);
            write!(out, "<upd:Description>{update}: {first}, {second}.{end}</upd:Description>")
                .unwrap_or_default();
        }
        out.push_str("</upd:LocalizedProperties>");
    }
    out.push_str("</upd:LocalizedPropertiesCollection>");
}

fn relationships(out: &mut String, entry: &Entry) {
    let empty = entry.prerequisites.is_empty() && entry.bundled.is_empty();
    if empty && entry.superseded.is_empty() {
        return;
    }
    out.push_str("<upd:Relationships>");
    if !entry.superseded.is_empty() {
        out.push_str("<upd:SupersededUpdates>");
        for id in &entry.superseded {
            write!(out, "<upd:UpdateIdentity UpdateID=\"{id}\" />").unwrap_or_default();
        }
        out.push_str("</upd:SupersededUpdates>");
    }
    if !entry.prerequisites.is_empty() {
        out.push_str("<upd:Prerequisites>");
        for Clause { is_category, any_of } in &entry.prerequisites {
            let bare = !is_category && any_of.len() == 1;
            if !bare {
                let category = if *is_category { " IsCategory=\"true\"" } else { "" };
                write!(out, "<upd:AtLeastOne{category}>").unwrap_or_default();
            }
            for id in any_of {
                write!(out, "<upd:UpdateIdentity UpdateID=\"{id}\" />").unwrap_or_default();
            }
            if !bare {
                out.push_str("</upd:AtLeastOne>");
            }
        }
        out.push_str("</upd:Prerequisites>");
    }
    if !entry.bundled.is_empty() {
        out.push_str("<upd:BundledUpdates>");
        for clause in &entry.bundled {
            out.push_str("<upd:AtLeastOne>");
            for (id, revision) in clause {
                write!(
                    out,
                    "<upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{revision}\" />"
                )
                .unwrap_or_default();
            }
            out.push_str("</upd:AtLeastOne>");
        }
        out.push_str("</upd:BundledUpdates>");
    }
    out.push_str("</upd:Relationships>");
}

fn applicability_rules(out: &mut String, entry: &Entry, room: usize, random: &mut Random) {
    match entry.kind {
        Kind::Bundle | Kind::InnerBundle => {}
        Kind::Company | Kind::ProductFamily | Kind::Classification | Kind::Product => {
            write!(
                out,
                "<upd:ApplicabilityRules><upd:IsInstalled><lar:True \
                 xmlns:lar=\"{MSUS}LogicalApplicabilityRules\" /></upd:IsInstalled>\
                 </upd:ApplicabilityRules>"
            )
            .unwrap_or_default();
        }
        Kind::Manifest => {
            write!(
                out,
                "<upd:ApplicabilityRules><upd:IsInstalled><cbs:CbsPackageInstalled \
                 xmlns:cbs=\"{MSUS}CbsApplicabilityRules\" /></upd:IsInstalled><upd:IsInstallable>\
                 <cbs:CbsPackageInstallable xmlns:cbs=\"{MSUS}CbsApplicabilityRules\" />\
                 </upd:IsInstallable><upd:Metadata><cbs:CbsPackageApplicabilityMetadata \
                 xmlns:cbs=\"{MSUS}CbsApplicabilityRules\">"
            )
            .unwrap_or_default();
            manifest(out, room, random);
            out.push_str("</cbs:CbsPackageApplicabilityMetadata></upd:Metadata>");
            out.push_str("</upd:ApplicabilityRules>");
        }
        Kind::Msi => {
            let rules =
                "xmlns:mar=\"http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules\"";
            write!(
                out,
                "<upd:ApplicabilityRules><upd:IsInstalled><mar:MsiApplicationInstalled {rules} />\
                 </upd:IsInstalled><upd:IsInstallable><mar:MsiApplicationInstallable {rules} />\
                 </upd:IsInstallable><upd:Metadata><mar:MsiApplicationMetadata {rules}>\
                 <mar:ProductCode>{{{}}}</mar:ProductCode></mar:MsiApplicationMetadata>\
                 </upd:Metadata></upd:ApplicabilityRules>",
                random.id().to_uppercase()
            )
            .unwrap_or_default();
        }
        Kind::Driver => driver(out, entry, room, random),
        Kind::Detectoid | Kind::Leaf | Kind::Standalone => {
            out.push_str("<upd:ApplicabilityRules><upd:IsInstalled>");
            condition(out, random);
            out.push_str("</upd:IsInstalled>");
            if entry.kind != Kind::Detectoid && out.len() < room {
                out.push_str("<upd:IsInstallable>");
                any_of_many(out, room, random);
                out.push_str("</upd:IsInstallable>");
            } else if out.len() + 200 < room {
                out.truncate(out.len() - "</upd:IsInstalled>".len());
                any_of_many(out, room, random);
                out.push_str("</upd:IsInstalled>");
            }
            out.push_str("</upd:ApplicabilityRules>");
        }
    }
}

fn driver(out: &mut String, entry: &Entry, room: usize, random: &mut Random) {
    write!(
        out,
        "<upd:ApplicabilityRules><upd:IsInstalled><drv:WindowsDriverInstalled \
         xmlns:drv=\"{MSUS}UpdateHandlers/WindowsDriver\" /></upd:IsInstalled><upd:Metadata>"
    )
    .unwrap_or_default();
    loop {
        write!(
            out,
            "<drv:WindowsDriverMetaData xmlns:drv=\"{MSUS}UpdateHandlers/WindowsDriver\" \
             HardwareID=\"pci\\ven_{:04x}&amp;dev_{:04x}\" WhqlDriverID=\"{}\" \
             Manufacturer=\"Example\" Provider=\"Example\" DriverVerDate=\"2026-01-{:02}\" \
             DriverVerVersion=\"1.{}.0.0\" Class=\"Net\" Model=\"Example {} Adapter\"><drv:FeatureScore \
             OperatingSystem=\"amd64.10.0\" FeatureScore=\"{}\" /></drv:WindowsDriverMetaData>",
            random.below(64),
            random.below(0x1_0000),
            entry.index,
            1 + entry.index % 28,
            entry.index,
            word(random),
            random.below(256)
        )
        .unwrap_or_default();
        if out.len() >= room {
            break;
        }
    }
    out.push_str("</upd:Metadata></upd:ApplicabilityRules>");
}

fn files(out: &mut String, entry: &Entry) {
    if entry.files.is_empty() {
        return;
    }
    out.push_str("<upd:Files>");
    for file in &entry.files {
        write!(
            out,
            "<upd:File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"{}\" Size=\"{}\" \
             Modified=\"2026-01-01T00:00:00Z\"><upd:AdditionalDigest Algorithm=\"SHA256\">{}\
             </upd:AdditionalDigest></upd:File>",
            file.sha1.to_base64(),
            file.name,
            file.size,
            file.sha256.to_base64()
        )
        .unwrap_or_default();
    }
    out.push_str("</upd:Files>");
}

fn handler_name(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        _ if kind.is_category() => "Category",
        Kind::Leaf | Kind::Standalone => "CommandLineInstallation",
        Kind::Manifest => "Cbs",
        Kind::Msi => "WindowsInstaller",
        Kind::Driver => "WindowsDriver",
        _ => return None,
    })
}

fn handler(out: &mut String, entry: &Entry) {
    let Some(handler) = handler_name(entry.kind) else { return };
    let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let uri = format!("{MSUS}UpdateHandlers/{handler}");
    let program = entry.files.first().map_or("", |file| &file.name);
    let written = match entry.kind {
        Kind::Leaf | Kind::Standalone => write!(
            out,
            "<upd:HandlerSpecificData xsi:type=\"cmd:{handler}\" {xsi}><cmd:InstallCommand \
             Program=\"{program}\" Arguments=\"/q\" xmlns:cmd=\"{uri}\"><cmd:ReturnCode Code=\"0\" \
             Result=\"Succeeded\" /></cmd:InstallCommand></upd:HandlerSpecificData>"
        ),
        Kind::Manifest => write!(
            out,
            "<upd:HandlerSpecificData xsi:type=\"cbs:Cbs\" {xsi}><cbs:CbsData PackageIdentity=\"\" \
             xmlns:cbs=\"{uri}\" /></upd:HandlerSpecificData>"
        ),
        Kind::Msi => write!(
            out,
            "<upd:HandlerSpecificData xsi:type=\"msp:WindowsInstallerApp\" {xsi}><msp:MsiData \
             MsiFile=\"{program}\" CommandLine=\"\" UninstallCommandLine=\"\" xmlns:msp=\"{uri}\" />\
             </upd:HandlerSpecificData>"
        ),
        Kind::Driver => write!(
            out,
            "<upd:HandlerSpecificData xsi:type=\"drv:{handler}\" {xsi} xmlns:drv=\"{uri}\" />"
        ),
        kind => write!(
            out,
            "<upd:HandlerSpecificData xsi:type=\"cat:Category\" {xsi}><cat:CategoryInformation \
             CategoryType=\"{}\" ProhibitsSubcategories=\"true\" xmlns:cat=\"{uri}\" />\
             </upd:HandlerSpecificData>",
            match kind {
                Kind::Company => "Company",
                Kind::ProductFamily => "ProductFamily",
                Kind::Product => "Product",
                _ => "UpdateClassification",
            }
        ),
    };
    written.unwrap_or_default();
}

/// Counts of revisions for which the profiles were measured.
pub fn usual_count(profile: Profile) -> usize {
    match profile {
        Profile::General => 20_000,
        Profile::Windows11 => 5_252,
    }
}
