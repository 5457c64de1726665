//! Writing the documents: element order, attributes and namespaces as the field's own have them.

use bundle_format::digest::PayloadDigests;
use jiff::Timestamp;

use super::{
    applies_if::product_code,
    category::{Categories, Category},
    identities::NAMESPACE,
    installer::Installer,
    request::PublishRequest,
    xml::Xml,
};
use crate::update::{UpdateId, UpdateIdentity};

const UPD: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
const BAR: &str = "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
const LAR: &str = "http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules";
const MAR: &str = "http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules";
const CBSAR: &str = "http://schemas.microsoft.com/msus/2002/12/CbsApplicabilityRules";
const CAT: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category";
const CMD: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation";
const CBS: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Cbs";
const MSP: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsInstaller";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// All that an update's document is made of.
pub(super) struct DocumentParts<'a> {
    pub(super) request: &'a PublishRequest,
    pub(super) installer: &'a Installer,
    pub(super) payload: &'a PayloadDigests,
    pub(super) categories: &'a Categories,
    pub(super) identity: UpdateIdentity,
    /// `CreationDate`.
    pub(super) created: String,
    /// `Modified` of the file.
    pub(super) modified: String,
}

/// A time as documents write it.
pub(super) fn moment(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The document of an update with one file.
pub(super) fn write(parts: &DocumentParts<'_>) -> String {
    let (handler_prefix, handler) = match parts.installer {
        Installer::CommandLine { .. } => ("xmlns:cmd", CMD),
        Installer::Msi { .. } => ("xmlns:msp", MSP),
        Installer::Servicing { .. } => ("xmlns:cbs", CBS),
    };
    let mut xml = Xml::default();
    let mut namespaces = vec![
        ("xmlns:bar", BAR),
        ("xmlns:lar", LAR),
        ("xmlns:mar", MAR),
        (handler_prefix, handler),
        ("xmlns:upd", UPD),
    ];
    if matches!(parts.installer, Installer::Servicing { .. }) {
        namespaces.push(("xmlns:cbsar", CBSAR));
    }
    xml.open("upd:Update", &namespaces);
    identity(&mut xml, parts.identity);
    properties(&mut xml, parts, handler);
    localized(&mut xml, parts.request);
    relationships(&mut xml, parts);
    rules(&mut xml, parts.installer);
    file(&mut xml, parts);
    handler_data(&mut xml, parts);
    xml.close("upd:Update");
    xml.finish()
}

fn identity(xml: &mut Xml, identity: UpdateIdentity) {
    let (id, revision) = (identity.id.to_string(), identity.revision.to_string());
    xml.empty("upd:UpdateIdentity", &[("UpdateID", &id), ("RevisionNumber", &revision)]);
}

fn reference(xml: &mut Xml, id: UpdateId) {
    xml.empty("upd:UpdateIdentity", &[("UpdateID", &id.to_string())]);
}

fn category_clause(xml: &mut Xml, id: UpdateId) {
    xml.open("upd:AtLeastOne", &[("IsCategory", "true")]);
    reference(xml, id);
    xml.close("upd:AtLeastOne");
}

fn properties(xml: &mut Xml, parts: &DocumentParts<'_>, handler: &str) {
    let request = parts.request;
    let size = parts.payload.size.to_string();
    let publisher = NAMESPACE.to_string();
    let mut attributes = vec![
        ("UpdateType", "Software"),
        ("DefaultPropertiesLanguage", request.language.as_str()),
        ("ExplicitlyDeployable", "true"),
        ("IsLocallyPublished", "true"),
        ("MinDownloadSize", "0"),
        ("MaxDownloadSize", &size),
        ("Handler", handler),
        ("PublicationState", "Published"),
        ("CreationDate", &parts.created),
        ("PublisherID", &publisher),
    ];
    if let Some(severity) = request.severity {
        attributes.push(("MsrcSeverity", severity.name()));
    }
    xml.open("upd:Properties", &attributes).empty(
        "upd:InstallationBehavior",
        &[
            ("Impact", "Normal"),
            ("RebootBehavior", request.reboot.behavior()),
            ("CanRequestUserInput", "false"),
            ("RequiresNetworkConnectivity", "false"),
        ],
    );
    if let Some(url) = &request.support_url {
        xml.text("upd:SupportUrl", url);
    }
    for language in &request.languages {
        xml.text("upd:Language", language);
    }
    if let Some(kb) = &request.kb {
        xml.text("upd:KBArticleID", kb);
    }
    xml.close("upd:Properties");
}

fn localized(xml: &mut Xml, request: &PublishRequest) {
    xml.open("upd:LocalizedPropertiesCollection", &[])
        .open("upd:LocalizedProperties", &[])
        .text("upd:Language", &request.language)
        .text("upd:Title", &request.title);
    for (name, text) in [
        ("upd:Description", &request.description),
        ("upd:MoreInfoUrl", &request.more_info_url),
        ("upd:SupportUrl", &request.support_url),
    ] {
        if let Some(text) = text {
            xml.text(name, text);
        }
    }
    xml.close("upd:LocalizedProperties").close("upd:LocalizedPropertiesCollection");
}

fn relationships(xml: &mut Xml, parts: &DocumentParts<'_>) {
    xml.open("upd:Relationships", &[]);
    if !parts.request.supersedes.is_empty() {
        xml.open("upd:SupersededUpdates", &[]);
        for id in &parts.request.supersedes {
            reference(xml, *id);
        }
        xml.close("upd:SupersededUpdates");
    }
    xml.open("upd:Prerequisites", &[]);
    category_clause(xml, parts.categories.product);
    category_clause(xml, parts.categories.classification);
    xml.close("upd:Prerequisites").close("upd:Relationships");
}

fn rules(xml: &mut Xml, installer: &Installer) {
    xml.open("upd:ApplicabilityRules", &[]);
    match installer {
        Installer::CommandLine { rule, .. } | Installer::Msi { rule: Some(rule), .. } => {
            xml.open("upd:IsInstalled", &[]);
            rule.installed(xml);
            xml.close("upd:IsInstalled").open("upd:IsInstallable", &[]);
            rule.installable(xml);
            xml.close("upd:IsInstallable");
        }
        Installer::Msi { product, rule: None } => {
            for (when, rule) in [
                ("upd:IsInstalled", "mar:MsiApplicationInstalled"),
                ("upd:IsSuperseded", "mar:MsiApplicationSuperseded"),
                ("upd:IsInstallable", "mar:MsiApplicationInstallable"),
            ] {
                xml.open(when, &[]).empty(rule, &[]).close(when);
            }
            xml.open("upd:Metadata", &[])
                .open("mar:MsiApplicationMetadata", &[])
                .text("mar:ProductCode", &product_code(*product))
                .close("mar:MsiApplicationMetadata")
                .close("upd:Metadata");
        }
        Installer::Servicing { manifest } => {
            for (when, rule) in [
                ("upd:IsInstalled", "cbsar:CbsPackageInstalled"),
                ("upd:IsInstallable", "cbsar:CbsPackageInstallable"),
            ] {
                xml.open(when, &[]).empty(rule, &[]).close(when);
            }
            xml.open("upd:Metadata", &[])
                .open("cbsar:CbsPackageApplicabilityMetadata", &[])
                .raw(manifest)
                .close("cbsar:CbsPackageApplicabilityMetadata")
                .close("upd:Metadata");
        }
    }
    xml.close("upd:ApplicabilityRules");
}

fn file_name<'a>(parts: &DocumentParts<'a>) -> &'a str {
    parts.request.file_name().unwrap_or_default()
}

fn file(xml: &mut Xml, parts: &DocumentParts<'_>) {
    let PayloadDigests { sha256, sha1, size, .. } = parts.payload;
    xml.open("upd:Files", &[])
        .open(
            "upd:File",
            &[
                ("Digest", &sha1.to_base64()),
                ("DigestAlgorithm", "SHA1"),
                ("FileName", file_name(parts)),
                ("Size", &size.to_string()),
                ("Modified", &parts.modified),
            ],
        )
        .open("upd:AdditionalDigest", &[("Algorithm", "SHA256")])
        .raw(&sha256.to_base64())
        .close("upd:AdditionalDigest")
        .close("upd:File")
        .close("upd:Files");
}

fn handler_data(xml: &mut Xml, parts: &DocumentParts<'_>) {
    let data = "upd:HandlerSpecificData";
    let open = |xml: &mut Xml, kind| {
        xml.open(data, &[("xsi:type", kind), ("xmlns:xsi", XSI)]);
    };
    match parts.installer {
        Installer::CommandLine { program, arguments, .. } => {
            open(xml, "cmd:CommandLineInstallation");
            let command = "cmd:InstallCommand";
            xml.open(
                command,
                &[
                    ("Program", program),
                    ("Arguments", arguments),
                    ("RebootByDefault", "false"),
                    ("DefaultResult", "Failed"),
                ],
            );
            // Success; success, restart needed; success, restart begun. By Windows Installer's
            // convention, which other installers follow.
            for (code, reboot) in [("0", "false"), ("3010", "true"), ("1641", "true")] {
                let attributes = [("Code", code), ("Result", "Succeeded"), ("Reboot", reboot)];
                xml.empty("cmd:ReturnCode", &attributes);
            }
            xml.close(command);
        }
        Installer::Msi { product, .. } => {
            open(xml, "msp:WindowsInstallerApp");
            let code = product_code(*product);
            let mut attributes =
                vec![("ProductCode", code.as_str()), ("MsiFile", file_name(parts))];
            if let Some(line) = &parts.request.command_line {
                attributes.push(("CommandLine", line));
            }
            xml.empty("msp:MsiData", &attributes);
        }
        Installer::Servicing { .. } => {
            open(xml, "cbs:Cbs");
            xml.empty("cbs:CbsData", &[("PackageIdentity", "")]);
        }
    }
    xml.close(data);
}

/// The document of a category.
pub(super) fn category(category: &Category<'_>, created: &str) -> String {
    let publisher = NAMESPACE.to_string();
    let mut xml = Xml::default();
    xml.open("upd:Update", &[("xmlns:cat", CAT), ("xmlns:lar", LAR), ("xmlns:upd", UPD)]);
    identity(&mut xml, category.identity);
    xml.empty(
        "upd:Properties",
        &[
            ("DefaultPropertiesLanguage", "en"),
            ("IsPublic", "true"),
            ("UpdateType", "Category"),
            ("Handler", CAT),
            ("PublicationState", "Published"),
            ("CreationDate", created),
            ("PublisherID", &publisher),
        ],
    );
    xml.open("upd:LocalizedPropertiesCollection", &[])
        .open("upd:LocalizedProperties", &[])
        .text("upd:Language", "en")
        .text("upd:Title", category.title)
        .text("upd:Description", category.title)
        .close("upd:LocalizedProperties")
        .close("upd:LocalizedPropertiesCollection");
    if let Some(parent) = category.parent {
        xml.open("upd:Relationships", &[]).open("upd:Prerequisites", &[]);
        category_clause(&mut xml, parent);
        xml.close("upd:Prerequisites").close("upd:Relationships");
    }
    xml.open("upd:ApplicabilityRules", &[])
        .open("upd:IsInstalled", &[])
        .empty("lar:True", &[])
        .close("upd:IsInstalled")
        .close("upd:ApplicabilityRules");
    let (subcategories, updates) = match category.kind {
        "Company" | "ProductFamily" => ("false", "true"),
        _ => ("true", "false"),
    };
    xml.open("upd:HandlerSpecificData", &[("xsi:type", "cat:Category"), ("xmlns:xsi", XSI)])
        .empty(
            "cat:CategoryInformation",
            &[
                ("CategoryType", category.kind),
                ("ProhibitsSubcategories", subcategories),
                ("ProhibitsUpdates", updates),
            ],
        )
        .close("upd:HandlerSpecificData")
        .close("upd:Update");
    xml.finish()
}
