//! Operating system commands: titles, links, questions about colours; and titles kept in a stack.

use super::{Screen, TITLE_MAX};

/// Titles kept, as xterm does.
const TITLES_MAX: usize = 10;

impl Screen {
    /// Does what a command says; nothing if it is unknown.
    pub(super) fn command(&mut self, text: &[u8]) {
        let mut parts = text.splitn(2, |byte| *byte == b';');
        let number = parts.next().unwrap_or_default();
        // What ends a string in one terminal or another would not be the same when it is said again.
        let text: String = String::from_utf8_lossy(parts.next().unwrap_or_default())
            .chars()
            .filter(|char| !char.is_control())
            .collect();
        match number {
            b"0" | b"2" => self.title = shortened(&text),
            b"8" => self.set_link(&text),
            b"10" | b"11" | b"12" => self.report_colours(number, &text),
            b"4" => self.report_palette(&text),
            _ => {}
        }
    }

    /// XTWINOPS: what it says about titles and asks about sizes.
    pub(super) fn window(&mut self, what: u16, which: u16) {
        match (what, which) {
            (22, 0 | 2) => {
                if self.titles.len() >= TITLES_MAX {
                    self.titles.remove(0);
                }
                self.titles.push(self.title.clone());
            }
            (23, 0 | 2) => {
                if let Some(title) = self.titles.pop() {
                    self.title = title;
                }
            }
            (18, _) => self.report_size(),
            _ => {}
        }
    }

    /// OSC 8: parameters, a semicolon, an address; no address ends the link.
    fn set_link(&mut self, text: &str) {
        let address = text.split_once(';').map_or("", |(_, address)| address);
        let number = if address.is_empty() {
            Some(0)
        } else {
            self.tables.add_link(text).or_else(|| {
                self.collect();
                self.tables.add_link(text)
            })
        };
        self.pen.style.link = number.unwrap_or(0);
        self.pen.number = None;
    }
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(TITLE_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
