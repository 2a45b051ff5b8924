//! `cargo xtask icons`: renders every icon file from the SVG sources in `icons/`.
//!
//! The files are committed, so only a change of the drawing needs this (and `rsvg-convert`).

use crate::process::{self, StepError};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Up to this edge (pixels) the drawing made for the pixel grid is used.
const SMALL_UP_TO: u32 = 32;
/// Apple's icon grid: on a 1024 canvas the tile is 824 wide, the rest is for shadow.
const APPLE_TILE: (u32, u32) = (824, 1024);

/// The single PNG files Tauri's bundlers ask for, by name and edge in pixels.
const PNG_FILES: &[(&str, u32)] = &[
    ("32x32.png", 32),
    ("64x64.png", 64),
    ("128x128.png", 128),
    ("128x128@2x.png", 256),
    ("icon.png", 512),
    ("Square30x30Logo.png", 30),
    ("Square44x44Logo.png", 44),
    ("Square71x71Logo.png", 71),
    ("Square89x89Logo.png", 89),
    ("Square107x107Logo.png", 107),
    ("Square142x142Logo.png", 142),
    ("Square150x150Logo.png", 150),
    ("Square284x284Logo.png", 284),
    ("Square310x310Logo.png", 310),
    ("StoreLogo.png", 50),
];

/// Sizes in the Windows icon, smallest first.
const ICO_SIZES: &[u32] = &[16, 24, 32, 48, 64, 128, 256];

/// Entries of the macOS icon: the four-letter type of the ICNS format and its edge in pixels.
const ICNS_ENTRIES: &[(&[u8; 4], u32)] = &[
    (b"icp4", 16),
    (b"ic11", 32),
    (b"icp5", 32),
    (b"ic12", 64),
    (b"ic07", 128),
    (b"ic13", 256),
    (b"ic08", 256),
    (b"ic14", 512),
    (b"ic09", 512),
    (b"ic10", 1024),
];

/// Renders all icons of the repository at `root`.
pub fn render(root: &Path) -> Result<(), StepError> {
    let icons = root.join("icons");
    let scratch = tempfile::tempdir().map_err(|source| StepError::file("a temporary folder", source))?;
    let artist = Artist { icons: &icons, scratch: scratch.path() };

    for (name, edge) in PNG_FILES {
        write(&icons.join(name), &artist.tile(*edge)?)?;
    }
    let tray = process::output(
        Command::new("rsvg-convert").args(["-w", "32"]).arg(icons.join("tray-template.svg")),
    )?;
    write(&icons.join("tray-template.png"), &tray)?;

    let windows = ICO_SIZES
        .iter()
        .map(|&edge| Ok((edge, artist.tile(edge)?)))
        .collect::<Result<Vec<_>, StepError>>()?;
    write(&icons.join("icon.ico"), &ico(&windows))?;

    let apple = ICNS_ENTRIES
        .iter()
        .map(|&(kind, edge)| Ok((kind, artist.apple_tile(edge)?)))
        .collect::<Result<Vec<_>, StepError>>()?;
    write(&icons.join("icon.icns"), &icns(&apple))
}

struct Artist<'a> {
    icons: &'a Path,
    scratch: &'a Path,
}

impl Artist<'_> {
    fn source(&self, edge: u32) -> PathBuf {
        self.icons.join(if edge <= SMALL_UP_TO { "rosterbridge-small.svg" } else { "rosterbridge.svg" })
    }

    fn tile(&self, edge: u32) -> Result<Vec<u8>, StepError> {
        let edge_text = edge.to_string();
        process::output(
            Command::new("rsvg-convert").args(["-w", &edge_text, "-h", &edge_text]).arg(self.source(edge)),
        )
    }

    fn apple_tile(&self, edge: u32) -> Result<Vec<u8>, StepError> {
        let tile = edge * APPLE_TILE.0 / APPLE_TILE.1;
        let margin = (edge - tile) / 2;
        let target = self.scratch.join("apple.png");
        process::run(
            Command::new("rsvg-convert")
                .args(["-w", &tile.to_string(), "-h", &tile.to_string()])
                .args(["--page-width", &edge.to_string(), "--page-height", &edge.to_string()])
                .args(["--left", &margin.to_string(), "--top", &margin.to_string()])
                .arg("-o")
                .arg(&target)
                .arg(self.source(edge)),
        )?;
        fs::read(&target).map_err(|source| StepError::file(target.display(), source))
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StepError> {
    fs::write(path, bytes).map_err(|source| StepError::file(path.display(), source))
}

/// A Windows icon whose entries are PNGs (Windows Vista and later): a directory of 16-byte entries,
/// then the images.
fn ico(images: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let header = 6 + 16 * images.len();
    let mut directory = vec![0, 0, 1, 0];
    directory.extend(u16_len(images.len()).to_le_bytes());
    let mut body: Vec<u8> = Vec::new();
    for (edge, png) in images {
        // One byte per edge; 0 stands for 256.
        let edge = u8::try_from(*edge).unwrap_or(0);
        directory.extend([edge, edge, 0, 0, 1, 0, 32, 0]);
        directory.extend(u32_len(png.len()).to_le_bytes());
        directory.extend(u32_len(header + body.len()).to_le_bytes());
        body.extend_from_slice(png);
    }
    directory.extend(body);
    directory
}

/// A macOS icon: the magic, the total length, then type, length and PNG of each entry (big endian;
/// lengths include the 8 bytes of their own header).
fn icns(images: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body: Vec<u8> = Vec::new();
    for (kind, png) in images {
        body.extend_from_slice(*kind);
        body.extend(u32_len(png.len() + 8).to_be_bytes());
        body.extend_from_slice(png);
    }
    let mut file = b"icns".to_vec();
    file.extend(u32_len(body.len() + 8).to_be_bytes());
    file.extend(body);
    file
}

fn u32_len(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn u16_len(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_icon_points_at_each_image() {
        let file = ico(&[(16, vec![1, 2, 3]), (256, vec![4, 5])]);
        assert_eq!(&file[..6], &[0, 0, 1, 0, 2, 0]);
        assert_eq!(file[6], 16);
        assert_eq!(file[22], 0, "0 means 256");
        let offset = |entry: usize| {
            let at = 6 + 16 * entry + 12;
            usize::try_from(u32::from_le_bytes(file[at..at + 4].try_into().unwrap())).unwrap()
        };
        assert_eq!(&file[offset(0)..offset(0) + 3], &[1, 2, 3]);
        assert_eq!(&file[offset(1)..], &[4, 5]);
    }

    #[test]
    fn apple_icon_lengths_cover_the_file() {
        let file = icns(&[(b"ic07", vec![9; 5]), (b"ic08", vec![8; 2])]);
        assert_eq!(&file[..4], b"icns");
        assert_eq!(u32::from_be_bytes(file[4..8].try_into().unwrap()), u32::try_from(file.len()).unwrap());
        assert_eq!(&file[8..12], b"ic07");
        assert_eq!(u32::from_be_bytes(file[12..16].try_into().unwrap()), 13);
        assert_eq!(&file[21..25], b"ic08");
    }
}
