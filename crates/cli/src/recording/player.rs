//! Plays a recording.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;

use super::{Header, gob};
use crate::words::{plain, utc};

/// Recordings know no times; mender-cli plays at this pace.
const PACE: Duration = Duration::from_millis(32);

/// Plays `path` to `screen`, calling `wait` between blocks. Returns whether the recording has its
/// end mark: those of mender-cli usually have none.
pub(crate) fn play(
    path: &Path,
    screen: &mut impl Write,
    mut wait: impl FnMut(Duration),
) -> io::Result<bool> {
    let mut input = GzDecoder::new(BufReader::new(File::open(path)?));
    let header = Header::read(&mut input).map_err(|error| {
        io::Error::new(error.kind(), format!("not a terminal recording: {error}"))
    })?;
    // The same lines as mender-cli's, without the padding it shows.
    writeln!(
        screen,
        "Playing back from file: {}",
        plain(&path.to_string_lossy())
    )?;
    writeln!(screen, "Device ID: {}", plain(&header.device))?;
    writeln!(screen, "Terminal type: {}", plain(&header.terminal))?;
    writeln!(screen, "Terminal size: {}x{}", header.cols, header.rows)?;
    writeln!(screen, "Timestamp: {}\n", utc(header.recorded_at))?;
    loop {
        match gob::next(&mut input) {
            Ok(Some(block)) if block.kind == 0 => {
                screen.write_all(&block.data)?;
                screen.flush()?;
                wait(PACE);
            }
            // A kind that we do not know is not for the screen.
            Ok(Some(_)) => {}
            Ok(None) => return Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recorder;

    fn played(path: &Path) -> io::Result<(String, bool)> {
        let mut screen = Vec::new();
        let whole = play(path, &mut screen, |_| ())?;
        Ok((String::from_utf8(screen).unwrap(), whole))
    }

    #[test]
    fn item_57_a_recording_is_played_as_it_was_recorded_also_when_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.rec");
        let mut recorder = Recorder::create(&path, "device-1").unwrap();
        recorder.record(b"$ hello\r\n").unwrap();
        recorder.record("grün\r\n".as_bytes()).unwrap();

        // What mender-cli leaves behind: everything but the end mark.
        let (cut, whole) = played(&path).unwrap();
        assert!(
            cut.contains("Device ID: device-1\nTerminal type: xterm-256color\n"),
            "{cut}"
        );
        assert!(cut.contains("Terminal size: 80x40\nTimestamp: "), "{cut}");
        assert!(cut.ends_with("\n\n$ hello\r\ngrün\r\n"), "{cut}");
        assert!(!whole);

        recorder.finish().unwrap();
        assert_eq!(played(&path).unwrap(), (cut, true));
    }

    #[test]
    fn an_existing_file_is_not_touched_and_a_new_one_is_private() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.rec");
        std::fs::write(&path, "mine").unwrap();
        let error = Recorder::create(&path, "d").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");

        let path = folder.path().join("y.rec");
        Recorder::create(&path, "d").unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn what_is_no_recording_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.rec");
        std::fs::write(&path, "hello").unwrap();
        assert!(
            played(&path)
                .unwrap_err()
                .to_string()
                .starts_with("not a terminal recording")
        );
        assert_eq!(
            played(&folder.path().join("none")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
