use crate::agent::{
    profile::{Profile, RegistryValue, SimulatedFile},
    rules::*,
    tree,
};

fn machine() -> Machine {
    let mut profile = Profile::default();
    profile.registry.insert(
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Example\Product".into(),
        [
            ("Level".to_owned(), RegistryValue::Dword(3)),
            ("Version".to_owned(), RegistryValue::Text("2.10.0".into())),
            ("Folder".to_owned(), RegistryValue::Text(r"C:\Example\".into())),
        ]
        .into(),
    );
    profile.registry.insert(
        r"HKEY_LOCAL_MACHINE\SOFTWARE\WOW6432Node\Example\Narrow".into(),
        [("On".to_owned(), RegistryValue::Dword(1))].into(),
    );
    profile.files.insert(
        r"C:\Example\tool.exe".into(),
        SimulatedFile { version: "4.5.6.7".into(), size: 100, ..SimulatedFile::default() },
    );
    profile.files.insert(
        r"C:\Windows\System32\lib.dll".into(),
        SimulatedFile { version: "1.9".into(), ..SimulatedFile::default() },
    );
    profile.msi_products.insert(uuid::Uuid::from_u128(0xAA), "3.1.4".into());
    profile.rules.insert("b.WmiQuery".into(), true);
    Machine::new(profile)
}

fn eval(machine: &Machine, rule: &str) -> (bool, BTreeMap<String, u64>) {
    let text =
        format!("<ApplicabilityRules><IsInstalled>{rule}</IsInstalled></ApplicabilityRules>");
    let rules = tree::document(&text, 1000).unwrap();
    let mut evaluator = Evaluator::new(machine);
    (evaluator.verdict(&rules).installed.unwrap(), evaluator.unknown)
}

#[test]
fn rules_hold_or_not() {
    let machine = machine();
    let lm = r#"Key="HKEY_LOCAL_MACHINE" Subkey="Software\EXAMPLE\product""#;
    let narrow = r#"Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Example\Narrow""#;
    let product = r#"ProductCode="{00000000-0000-0000-0000-0000000000AA}""#;
    let cases: &[(&str, bool)] = &[
        ("<True/>", true),
        ("<False/>", false),
        ("<And><True/><False/></And>", false),
        ("<Or><False/><True/></Or>", true),
        ("<Not><False/></Not>", true),
        (
            r#"<b.WindowsVersion Comparison="GreaterThanOrEqualTo" MajorVersion="6" MinorVersion="3" ProductType="1"/>"#,
            true,
        ),
        (
            r#"<b.WindowsVersion Comparison="GreaterThanOrEqualTo" MajorVersion="6" MinorVersion="3" ProductType="3"/>"#,
            false,
        ),
        (
            r#"<b.WindowsVersion Comparison="EqualTo" MajorVersion="10" MinorVersion="0" BuildNumber="26200"/>"#,
            true,
        ),
        (
            r#"<b.WindowsVersion Comparison="LessThan" MajorVersion="10" MinorVersion="0" BuildNumber="26200"/>"#,
            false,
        ),
        (
            r#"<b.WindowsVersion Comparison="GreaterThan" MajorVersion="10" BuildNumber="22621"/>"#,
            true,
        ),
        (r#"<b.WindowsVersion ProductType="1" SuiteMask="256"/>"#, true),
        (r#"<b.WindowsVersion ProductType="1" SuiteMask="512"/>"#, false),
        (r#"<b.Processor Architecture="9"/>"#, true),
        (r#"<b.Processor Architecture="0"/>"#, false),
        (r#"<b.Platform PlatformID="2"/>"#, true),
        (r#"<b.WindowsLanguage Language="en"/>"#, true),
        (r#"<b.WindowsLanguage Language="de"/>"#, false),
        (&format!("<b.RegKeyExists {lm}/>"), true),
        (r#"<b.RegKeyExists Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Example"/>"#, true),
        (r#"<b.RegKeyExists Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Other"/>"#, false),
        (&format!(r#"<b.RegKeyExists {narrow}/>"#), false),
        (&format!(r#"<b.RegKeyExists {narrow} RegType32="true"/>"#), true),
        (&format!(r#"<b.RegValueExists {lm} Value="level" Type="REG_DWORD"/>"#), true),
        (&format!(r#"<b.RegValueExists {lm} Value="level" Type="REG_SZ"/>"#), false),
        (&format!(r#"<b.RegValueExists {lm} Value="none"/>"#), false),
        (
            &format!(
                r#"<b.RegDword {lm} Value="Level" Comparison="GreaterThanOrEqualTo" Data="3"/>"#
            ),
            true,
        ),
        (&format!(r#"<b.RegDword {lm} Value="Level" Comparison="LessThan" Data="3"/>"#), false),
        (&format!(r#"<b.RegDword {lm} Value="None" Comparison="LessThan" Data="3"/>"#), false),
        (&format!(r#"<b.RegSz {lm} Value="Version" Comparison="BeginsWith" Data="2."/>"#), true),
        (&format!(r#"<b.RegSz {lm} Value="Version" Comparison="EqualTo" Data="2.1"/>"#), false),
        (
            &format!(
                r#"<b.RegSzToVersion {lm} Value="Version" Comparison="GreaterThan" Data="2.9"/>"#
            ),
            true,
        ),
        (&format!(r#"<b.FileExistsPrependRegSz Path="tool.exe" {lm} Value="Folder"/>"#), true),
        (
            &format!(
                r#"<b.FileVersionPrependRegSz Path="tool.exe" Comparison="LessThan" Version="4.5.6.8" {lm} Value="Folder"/>"#
            ),
            true,
        ),
        (r#"<b.FileExists Path="lib.dll" Csidl="37"/>"#, true),
        (r#"<b.FileExists Path="lib.dll" Csidl="36"/>"#, false),
        (
            r#"<b.FileVersion Path="lib.dll" Csidl="37" Comparison="EqualTo" Version="1.9.0.0"/>"#,
            true,
        ),
        (r#"<b.FileSize Path="C:\Example\tool.exe" Comparison="EqualTo" Size="100"/>"#, true),
        (&format!("<m.MsiProductInstalled {product}/>"), true),
        (
            &format!(
                r#"<m.MsiProductInstalled {product} VersionMax="3.1.4" ExcludeVersionMax="true"/>"#
            ),
            false,
        ),
        (&format!(r#"<m.MsiProductInstalled {product} VersionMin="3.1" VersionMax="4"/>"#), true),
        (r#"<m.MsiProductInstalled ProductCode="{00000000-0000-0000-0000-0000000000AB}"/>"#, false),
        (r#"<b.WmiQuery Namespace="x" WqlQuery="y"/>"#, true),
    ];
    for (rule, expected) in cases {
        let (holds, unknown) = eval(&machine, rule);
        assert_eq!(holds, *expected, "{rule}");
        assert!(unknown.is_empty(), "{rule} counts as unknown");
    }
}

#[test]
fn unknown_rules_are_false_and_counted() {
    let machine = machine();
    let (holds, unknown) = eval(&machine, "<Or><b.LicenseDword/><b.LicenseDword/><x.New/></Or>");
    assert!(!holds);
    assert_eq!(unknown, [("b.LicenseDword".to_owned(), 2), ("x.New".to_owned(), 1)].into());
    // A rule with an attribute that makes no sense is not known either.
    let (_, unknown) = eval(
        &machine,
        r#"<b.RegDword Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Example\Product" Value="Level" Comparison="About" Data="3"/>"#,
    );
    assert_eq!(unknown.len(), 1);
}

#[test]
fn installer_metadata_answers_msi_rules() {
    let machine = machine();
    let application = |code: u8| {
        let text = format!(
            "<ApplicabilityRules><IsInstalled><m.MsiApplicationInstalled/></IsInstalled><IsInstallable><m.MsiApplicationInstallable/></IsInstallable><Metadata><m.MsiApplicationMetadata><m.ProductCode>{{00000000-0000-0000-0000-0000000000{code:02X}}}</m.ProductCode></m.MsiApplicationMetadata></Metadata></ApplicabilityRules>"
        );
        let mut evaluator = Evaluator::new(&machine);
        let verdict = evaluator.verdict(&tree::document(&text, 100).unwrap());
        assert!(evaluator.unknown.is_empty());
        verdict
    };
    assert_eq!(application(0xAA).installed, Some(true));
    assert_eq!(application(0xAA).installable, Some(false));
    assert_eq!(application(0xAB).installed, Some(false));
    assert_eq!(application(0xAB).installable, Some(true));
}
