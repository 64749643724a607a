//! What the screen says, without how it looks.

use super::Screen;
use super::cell::Row;
use super::parser::{Parser, Token};

impl Screen {
    /// The last lines of scrollback and screen, at most so many, without blank ones at the end. Rows that
    /// go on in the next are one line. Each line ends with a line feed.
    pub fn text(&self, lines: usize) -> String {
        let mut all: Vec<String> = Vec::new();
        let mut continues = false;
        if self.alternate.is_none() {
            let kept = self.history.lines().collect::<Vec<_>>();
            let skipped = kept.len().saturating_sub(lines);
            all.extend(kept.iter().skip(skipped).map(|line| plain(line)));
            continues = self.history.is_open();
        }
        let rows = self.grid().rows();
        for (row, next) in rows.iter().zip(rows.iter().skip(1).map(Some).chain([None])) {
            let text = self.row_text(row, next);
            match all.last_mut() {
                Some(last) if continues => last.push_str(&text),
                _ => all.push(text),
            }
            continues = row.wraps;
        }
        while all.last().is_some_and(|line| line.trim_end().is_empty()) {
            all.pop();
        }
        let skipped = all.len().saturating_sub(lines);
        all.iter()
            .skip(skipped)
            .flat_map(|line| [line.trim_end(), "\n"])
            .collect()
    }

    fn row_text(&self, row: &Row, next: Option<&Row>) -> String {
        let used = row.shown(self.cols, next);
        let mut bytes = Vec::with_capacity(used);
        for column in 0..used {
            self.tables.write_text(row.at(column), &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The characters among sequences.
fn plain(line: &[u8]) -> String {
    let mut parser = Parser::default();
    let mut text = String::new();
    let mut rest = line;
    while let Some(token) = parser.next(&mut rest) {
        match token {
            Token::Ascii(ascii) => text.push_str(&String::from_utf8_lossy(ascii)),
            Token::Char(char) => text.push(char),
            Token::Control(_) | Token::Escape(..) | Token::Csi(_) | Token::Osc(_) => {}
        }
    }
    text
}
