//! The commands the window may call. The build makes a permission of each, `capabilities/main.json` grants them, and what is
//! not named here is refused before it reaches any code of ours.

/// By name, in the alphabet's order.
pub const COMMANDS: &[&str] = &[
    "call",
    "check_for_update",
    "choose_file",
    "choose_folder",
    "environment",
    "erase_profile",
    "forget_clipboard",
    "install_update",
    "notify",
    "open_profile",
    "practice_leave",
    "practice_start",
    "print",
    "profiles",
    "recover_key",
    "restart",
    "restore_ledger",
    "save_file",
    "speak",
    "start_at_login",
    "starts_at_login",
    "take_opened_file",
    "updates",
];
