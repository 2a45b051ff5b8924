//! How the web view draws on Linux, where there may be no graphics card: in a virtual machine, on a terminal server.

use std::{
    fs::{self, File},
    path::Path,
};

/// Where the kernel shows its devices.
const DEVICES: &str = "/dev";
/// What WebKitGTK reads when it starts. `0`, set by a person, has it draw as with a card.
const WITHOUT_CARD: &str = "WEBKIT_DISABLE_COMPOSITING_MODE";

/// Without a graphics card WebKit would have one emulated: each layer of the page drawn, kept and put together by the
/// processor in a card's ways, for 90 MB more and slower answers. Here it draws the page itself instead, as it did
/// before there were cards. It can't be told later: a web view that is there already does not survive the change.
///
/// To be called before anything else runs, since it sets a variable of the process's environment. Where that fails, a card
/// is emulated.
pub fn settle() {
    if !card(Path::new(DEVICES)) {
        // There is no log yet.
        let _ = glib::setenv(WITHOUT_CARD, "1", false);
    }
}

/// Whether there is a card this account may draw with. Drivers of the kernel show its render node; NVIDIA's own and Windows'
/// (under the Windows Subsystem for Linux) have names of their own. Some virtual machines show a node and emulate what is
/// behind it: that can't be told from here.
fn card(devices: &Path) -> bool {
    let usable = |node: &Path| File::options().read(true).write(true).open(node).is_ok();
    let nodes = fs::read_dir(devices.join("dri")).into_iter().flatten().flatten();
    nodes
        .into_iter()
        .filter(|node| node.file_name().as_encoded_bytes().starts_with(b"renderD"))
        .any(|node| usable(&node.path()))
        || ["nvidiactl", "dxg"].iter().any(|name| usable(&devices.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_known_by_its_devices() {
        for (devices, drawn_by_a_card) in [
            (&[] as &[&str], false),
            (&["null", "fb0"], false),
            // A virtual machine's screen without its host's card.
            (&["dri/card0"], false),
            (&["dri/card0", "dri/renderD128"], true),
            (&["dri/card1", "dri/renderD129"], true),
            (&["nvidia0", "nvidiactl"], true),
            (&["dxg"], true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for device in devices {
                let path = folder.path().join(device);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            assert_eq!(card(folder.path()), drawn_by_a_card, "{devices:?}");
        }
        assert!(!card(Path::new("/nonexistent")));
        // One that can't be opened, as on a terminal server whose card is not for everybody.
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("dri/renderD128")).unwrap();
        assert!(!card(folder.path()));
    }
}
