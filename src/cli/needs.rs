//! `tidegate needs`

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use qrcodegen::{QrCode, QrCodeEcc};
use tidegate::ops::needs::{self, Needs};

use super::{
    Context, Outcome,
    exit::usage,
    output::human_bytes,
    volumes::{self, SHOWN, capped},
};

/// Characters of one QR code: it then fits a terminal of 80 columns.
const QR_CHARACTERS: usize = 440;
/// More codes than this are no help.
const QR_CODES: usize = 8;
/// Light modules around a QR code, as scanners want them.
const QUIET: i32 = 2;

/// What is missing here, for `tidegate export --needs` on the connected side. Changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write it to this file, to be carried to the connected side
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print it as short rows of letters, to be read aloud or typed
    #[arg(long, conflicts_with = "qr")]
    code: bool,
    /// Print these rows as QR codes, to be scanned into a file
    #[arg(long)]
    qr: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let needs = needs::needs(&context.ops())?;
        if let Some(out) = &self.out {
            fs::write(out, needs.to_json())
                .with_context(|| format!("cannot write the needs to {}", out.display()))?;
        }
        let codes = if self.qr { qr_codes(&needs)? } else { String::new() };
        context.out.data(&needs, || match (self.code, self.qr) {
            (true, _) => needs.to_code().join("\n"),
            (_, true) => codes,
            _ => text(&needs, self.out.as_deref()),
        })?;
        Ok(Outcome::Done)
    }
}

fn text(needs: &Needs, out: Option<&std::path::Path>) -> String {
    if needs.is_empty() {
        return format!("Nothing is missing: snapshot {} is whole.\n", needs.snapshot);
    }
    let mut text = format!(
        "Snapshot {} of mirror {} lacks {}:\n",
        needs.snapshot,
        needs.mirror_id,
        human_bytes(needs.bytes())
    );
    let bytes = needs.segments.iter().map(|segment| segment.size).fold(0, u64::saturating_add);
    text.push_str(&volumes::parts_missing(needs.segments.len() as u64, bytes));
    text.push_str(&capped(&needs.payloads, SHOWN, "file", volumes::file));
    match out {
        Some(out) => text.push_str(&format!(
            "{} is for the connected side: `tidegate export --needs FILE --out DIR` packs exactly this.\n",
            out.display()
        )),
        None => text.push_str(
            "The connected side packs exactly this: `tidegate needs --out FILE` here, `tidegate export --needs FILE --out DIR` there. Where no file may leave: `--code` or `--qr`.\n",
        ),
    }
    text
}

/// The rows as QR codes, drawn with half blocks: dark terminals show them inverted, which scanners read.
fn qr_codes(needs: &Needs) -> anyhow::Result<String> {
    let mut texts: Vec<String> = vec![String::new()];
    for row in needs.to_code() {
        let row = row.replace(' ', "");
        match texts.last_mut() {
            Some(text) if text.is_empty() => *text = row,
            Some(text) if text.len() + row.len() < QR_CHARACTERS => {
                text.push('/');
                text.push_str(&row);
            }
            _ => texts.push(row),
        }
    }
    if texts.len() > QR_CODES {
        return Err(usage(format!(
            "so much is missing that it takes {} QR codes: use `--out FILE`",
            texts.len()
        )));
    }
    let of = texts.len();
    let mut drawn = String::new();
    for (number, text) in (1..).zip(&texts) {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium)
            .context("cannot draw the QR code; use `--code`")?;
        drawn.push_str(&format!("{number} of {of}:\n{}\n", draw(&code)));
    }
    drawn.push_str("Scan all of them into one file, one below the other, in any order, for `tidegate export --needs FILE`.\n");
    Ok(drawn)
}

/// Two rows of modules in each line; light modules are drawn.
fn draw(code: &QrCode) -> String {
    let light = |x, y| !code.get_module(x, y);
    let edge = code.size() + QUIET;
    let mut text = String::new();
    for y in (-QUIET..edge).step_by(2) {
        for x in -QUIET..edge {
            text.push(match (light(x, y), y + 1 < edge && light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
    }
    text
}
