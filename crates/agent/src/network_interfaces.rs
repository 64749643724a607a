//! The machine's network interfaces and their hardware addresses.

use std::path::Path;

/// Where the kernel describes them.
pub const SYS_CLASS_NET: &str = "/sys/class/net";
/// Hardware type of Ethernet and Wi-Fi (`ARPHRD_ETHER`).
const ETHERNET: &str = "1";

/// An Ethernet-like interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// Such as `52:54:00:12:34:56`.
    pub mac: String,
    /// Backed by hardware, and not a bridge, a tunnel or a container's end.
    pub physical: bool,
    index: u32,
}

/// All Ethernet-like interfaces with an address, hardware first, then in the kernel's order: the
/// first is the one mender-client's usual identity script names.
#[must_use]
pub fn list(sys_class_net: &Path) -> Vec<Interface> {
    let entries = std::fs::read_dir(sys_class_net)
        .into_iter()
        .flatten()
        .flatten();
    let mut interfaces: Vec<_> = entries
        .filter_map(|entry| read(&entry.path(), &entry.file_name().to_string_lossy()))
        .collect();
    interfaces.sort_by_key(|interface| (!interface.physical, interface.index));
    interfaces
}

fn read(folder: &Path, name: &str) -> Option<Interface> {
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    if text("type")?.trim() != ETHERNET || name.starts_with("dummy") {
        return None;
    }
    let mac = text("address")?.trim().to_ascii_lowercase();
    if mac.is_empty() || mac.bytes().all(|byte| matches!(byte, b'0' | b':')) {
        return None;
    }
    Some(Interface {
        name: name.to_owned(),
        mac,
        physical: folder.join("device").exists(),
        index: text("ifindex")?.trim().parse().ok()?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Describes an interface below `folder` as the kernel would.
    pub(crate) fn add(folder: &Path, name: &str, kind: &str, index: u32, mac: &str, device: bool) {
        let interface = folder.join(name);
        std::fs::create_dir(&interface).unwrap();
        for (file, text) in [
            ("type", kind),
            ("ifindex", &index.to_string()),
            ("address", mac),
        ] {
            std::fs::write(interface.join(file), format!("{text}\n")).unwrap();
        }
        if device {
            std::fs::create_dir(interface.join("device")).unwrap();
        }
    }

    #[test]
    fn hardware_comes_first_and_what_has_no_address_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        add(folder.path(), "lo", "772", 1, "00:00:00:00:00:00", false);
        add(folder.path(), "docker0", "1", 2, "02:42:00:00:00:01", false);
        add(folder.path(), "wlan0", "1", 4, "AA:00:00:00:00:02", true);
        add(folder.path(), "eth0", "1", 3, "aa:00:00:00:00:01", true);
        add(folder.path(), "can0", "280", 5, "", true);
        add(folder.path(), "dummy0", "1", 6, "02:00:00:00:00:09", false);
        let names: Vec<_> = list(folder.path())
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["eth0", "wlan0", "docker0"]);
        assert_eq!(list(folder.path())[1].mac, "aa:00:00:00:00:02");
        assert_eq!(list(Path::new("/nonexistent")), []);
    }
}
