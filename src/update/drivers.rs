//! Driver metadata, one record per hardware id. [MS-WUSP] 3.1.1.1

use super::{
    document::DriverMetadata,
    error::DocumentError,
    namespace::Namespace,
    reader::{Reader, tag::Tag},
};

/// Reads `ApplicabilityRules`, where driver metadata lies in `Metadata`.
pub(super) fn drivers(reader: &mut Reader<'_>) -> Result<Vec<DriverMetadata>, DocumentError> {
    let mut drivers = Vec::new();
    reader.children(|reader, tag| {
        if tag.namespace != Namespace::Update || tag.local != "Metadata" {
            return Ok(());
        }
        reader.children(|reader, tag| {
            if tag.namespace.is_msus() && tag.local == "WindowsDriverMetaData" {
                drivers.push(driver(reader, &tag)?);
            }
            Ok(())
        })
    })?;
    Ok(drivers)
}

fn driver(reader: &mut Reader<'_>, tag: &Tag<'_>) -> Result<DriverMetadata, DocumentError> {
    let value = |name: &str| tag.attribute(name).map(str::to_owned);
    let mut driver = DriverMetadata {
        hardware_id: value("HardwareID")
            .ok_or_else(|| reader.invalid("`WindowsDriverMetaData` without `HardwareID`"))?,
        ver_date: value("DriverVerDate"),
        ver_version: value("DriverVerVersion"),
        class: value("Class"),
        manufacturer: value("Manufacturer"),
        provider: value("Provider"),
        model: value("Model"),
        whql_driver_id: value("WhqlDriverID"),
        feature_scores: Vec::new(),
        distribution_computer_ids: Vec::new(),
        target_computer_ids: Vec::new(),
    };
    reader.children(|reader, tag| {
        if !tag.namespace.is_msus() {
            return Ok(());
        }
        match tag.local {
            "FeatureScore" => driver.feature_scores.push(feature_score(reader, &tag)?),
            "DistributionComputerHardwareId" => {
                driver.distribution_computer_ids.push(reader.text()?.trim().to_owned());
            }
            "TargetComputerHardwareId" => {
                driver.target_computer_ids.push(reader.text()?.trim().to_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(driver)
}

fn feature_score(reader: &Reader<'_>, tag: &Tag<'_>) -> Result<(String, u8), DocumentError> {
    let value = |name: &str| {
        tag.attribute(name)
            .ok_or_else(|| reader.invalid(format!("`FeatureScore` without `{name}`")))
    };
    let (system, score) = (value("OperatingSystem")?, value("FeatureScore")?);
    match score.trim().parse() {
        Ok(score) => Ok((system.to_owned(), score)),
        Err(_) => Err(reader.invalid(format!("`FeatureScore` is `{score}`, not from 0 to 255"))),
    }
}
