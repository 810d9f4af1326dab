//! Unpacking an archive that was downloaded.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;

use crate::manifest::{ArchivedFile, RemoteFile};
use crate::output;

/// Whether the files of an archive are in a directory, as long as they have to be.
pub(super) fn is_unpacked(archive: &RemoteFile, directory: &Path) -> bool {
    let there = |file: &ArchivedFile| {
        directory.join(&file.name).metadata().is_ok_and(|metadata| metadata.len() == file.size)
    };
    !archive.holds.is_empty() && archive.holds.iter().all(there)
}

/// Writes the files that the manifest lists from an archive to a directory, whatever folders of the archive they are in.
///
/// The manifest decides what is written, by which name and how long; what else the archive holds is not looked at.
///
/// # Errors
///
/// The system's; or [`InvalidData`](io::ErrorKind::InvalidData) if a file is not in the archive as the manifest says.
pub(super) fn unpack(path: &Path, archive: &RemoteFile, directory: &Path) -> io::Result<()> {
    let file = BufReader::new(File::open(path)?);
    if archive.name.ends_with(".zip") {
        return unpack_zip(file, archive, directory);
    }
    let mut found = vec![false; archive.holds.len()];
    for entry in tar::Archive::new(MultiGzDecoder::new(file)).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let place = archive.holds.iter().position(|file| Some(&file.name) == name.as_ref());
        let Some(place) = place.filter(|&place| !found[place]) else { continue };
        let ArchivedFile { name, size } = &archive.holds[place];
        if entry.size() != *size {
            return Err(differs(format!("{name} has {} bytes there, not {size}", entry.size())));
        }
        output::write(&directory.join(name), |out| copy(&mut entry, out, *size))?;
        found[place] = true;
    }
    match found.iter().position(|found| !found) {
        Some(missing) => Err(differs(format!("it does not hold {}", archive.holds[missing].name))),
        None => Ok(()),
    }
}

fn unpack_zip(file: BufReader<File>, archive: &RemoteFile, directory: &Path) -> io::Result<()> {
    let mut zip = ZipArchive::new(file)?;
    for ArchivedFile { name, size } in &archive.holds {
        let own = |member: &str| {
            let member = member.rsplit(['/', '\\']).next().unwrap_or_default();
            member.strip_suffix(".gz").unwrap_or(member) == name || member == name
        };
        let index = (0..zip.len()).find(|&index| {
            zip.name_for_index(index).is_some_and(|member| member.is_ok_and(|member| own(&member)))
        });
        let index = index.ok_or_else(|| differs(format!("it does not hold {name}")))?;
        let member = zip.by_index(index)?;
        let is_compressed = member.name()?.ends_with(".gz") && !name.ends_with(".gz");
        let member = BufReader::new(member);
        let mut content: Box<dyn Read + '_> =
            if is_compressed { Box::new(MultiGzDecoder::new(member)) } else { Box::new(member) };
        output::write(&directory.join(name), |out| {
            copy(&mut content, out, *size)?;
            match content.read(&mut [0])? {
                0 => Ok(()),
                _ => Err(differs(format!("{name} has more than {size} bytes there"))),
            }
        })?;
    }
    Ok(())
}

fn copy(from: &mut impl Read, to: &mut dyn Write, size: u64) -> io::Result<()> {
    match io::copy(&mut from.take(size), to)? {
        copied if copied == size => Ok(()),
        copied => Err(differs(format!("a file ends after {copied} of {size} bytes"))),
    }
}

fn differs(how: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, how)
}
