//! What cells refer to by number: styles, clusters of characters, links.

use std::sync::Arc;

use super::cell::{Cell, Content};
use super::style::Style;
use super::table::{Limits, Table};

// The counts are what hash tables of a power of two hold before they grow.

/// Styles in use at once. A picture in true colour on a large terminal can have more; then what is drawn
/// last gets colours out of 256.
const STYLES: Limits = Limits {
    count: 7168,
    weight: 0,
};
/// Characters with combining ones, all different.
const CLUSTERS: Limits = Limits {
    count: 3584,
    weight: 64 * 1024,
};
/// Links, all different.
const LINKS: Limits = Limits {
    count: 448,
    weight: 32 * 1024,
};
/// Bytes of one character with its combining ones.
const CLUSTER_MAX: usize = 32;
/// Bytes of a link's address and parameters.
const LINK_MAX: usize = 2048;

/// Places for the styles asked for last.
const RECENT: usize = 64;

/// The three tables of one screen.
#[derive(Debug)]
pub(super) struct Tables {
    /// Styles asked for lately with their numbers, each in the place its fingerprint says.
    recent: [(Style, u16); RECENT],
    styles: Table<Style>,
    clusters: Table<Arc<str>>,
    links: Table<Arc<str>>,
    frozen: bool,
}

impl Tables {
    pub(super) fn new() -> Self {
        Tables {
            recent: [(Style::default(), 0); RECENT],
            styles: Table::new(Style::default(), STYLES),
            clusters: Table::new("".into(), CLUSTERS),
            links: Table::new("".into(), LINKS),
            frozen: false,
        }
    }

    /// The style with a number.
    pub(super) fn style(&self, number: u16) -> Style {
        self.styles.get(number).copied().unwrap_or_default()
    }

    /// The text of a cluster.
    pub(super) fn cluster(&self, number: u16) -> &str {
        self.clusters.get(number).map_or(" ", |text| text)
    }

    /// Parameters and address of a link, with the semicolon between them.
    pub(super) fn link(&self, number: u16) -> &str {
        match self.links.get(number) {
            Some(text) if !text.is_empty() => text,
            _ => ";",
        }
    }

    /// A number for a style. `None`: full, perhaps of what nothing uses any more.
    pub(super) fn add_style(&mut self, style: Style) -> Option<u16> {
        if style == Style::default() {
            return Some(0);
        }
        let recent = self.recent.get_mut(style.fingerprint() % RECENT)?;
        if recent.0 == style {
            return Some(recent.1);
        }
        let number = self
            .styles
            .find(&style)
            .or_else(|| self.styles.add(style, 0))?;
        *recent = (style, number);
        Some(number)
    }

    /// A number for a cluster. `None`: full, or this one too long.
    pub(super) fn add_cluster(&mut self, text: String) -> Option<u16> {
        if text.len() > CLUSTER_MAX {
            return None;
        }
        let text: Arc<str> = text.into();
        self.clusters
            .find(&text)
            .or_else(|| self.clusters.add(text.clone(), weight(&text)))
    }

    /// A number for a link's parameters and address. `None`: full, or this one too long.
    pub(super) fn add_link(&mut self, text: &str) -> Option<u16> {
        if text.len() > LINK_MAX {
            return None;
        }
        let text: Arc<str> = text.into();
        self.links
            .find(&text)
            .or_else(|| self.links.add(text.clone(), weight(&text)))
    }

    /// Whether one of the tables has been full and a search for unused values is due.
    pub(super) fn should_collect(&self) -> bool {
        !self.frozen
            && (self.styles.should_collect()
                || self.clusters.should_collect()
                || self.links.should_collect())
    }

    /// Whether nothing is dropped at present.
    pub(super) fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Forgets what neither the cells nor the styles given use.
    pub(super) fn collect(
        &mut self,
        cells: impl Iterator<Item = Cell>,
        styles: impl Iterator<Item = Style>,
    ) {
        self.recent = [(Style::default(), 0); RECENT];
        let mut used_styles = self.styles.marks();
        let mut used_clusters = self.clusters.marks();
        let mut used_links = self.links.marks();
        for cell in cells {
            mark(&mut used_styles, cell.style);
            if let Content::Cluster(number) = cell.content() {
                mark(&mut used_clusters, number);
            }
        }
        for style in styles {
            mark(&mut used_links, style.link);
        }
        for (number, used) in (0u16..).zip(&used_styles) {
            if *used {
                mark(&mut used_links, self.style(number).link);
            }
        }
        self.styles.keep(&used_styles, |_| 0);
        self.clusters.keep(&used_clusters, weight);
        self.links.keep(&used_links, weight);
    }

    /// Appends what changes one style, link included, into another.
    pub(super) fn write_change(&self, from: &Style, to: &Style, out: &mut Vec<u8>) {
        if from.unlinked() != to.unlinked() {
            to.write_to(out);
        }
        if from.link != to.link {
            out.extend_from_slice(b"\x1b]8;");
            out.extend_from_slice(self.link(to.link).as_bytes());
            out.extend_from_slice(b"\x1b\\");
        }
    }

    /// Appends the text of a cell.
    pub(super) fn write_text(&self, cell: Cell, out: &mut Vec<u8>) {
        if let Some(byte) = cell.as_ascii() {
            out.push(byte);
            return;
        }
        match cell.content() {
            Content::Char(char) => {
                out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Content::Cluster(number) => out.extend_from_slice(self.cluster(number).as_bytes()),
            Content::Tail => {}
        }
    }

    /// Appends the texts of cells.
    pub(super) fn write_texts(&self, cells: &[Cell], out: &mut Vec<u8>) {
        if cells.iter().fold(true, |all, cell| all & cell.is_ascii()) {
            out.extend(cells.iter().map(|cell| cell.low_byte()));
        } else {
            cells.iter().for_each(|cell| self.write_text(*cell, out));
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.styles.memory() + self.clusters.memory() + self.links.memory()
    }
}

/// What a text weighs: its bytes, and the counters its memory begins with.
fn weight(text: &Arc<str>) -> usize {
    text.len() + 2 * size_of::<usize>()
}

fn mark(marks: &mut [bool], number: u16) {
    if let Some(slot) = marks.get_mut(usize::from(number)) {
        *slot = true;
    }
}
